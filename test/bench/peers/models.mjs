// The models that are measured: made where they are missing, by `neox synth` and from its BF16 file, after a look at the disk.

import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { StepError, step } from '../../../scripts/steps.mjs';
import { writeCheckpoint } from './checkpoint.mjs';
import { neox } from './dist.mjs';
import { freeDisk, freeMemory } from './machine.mjs';
import { runDriver } from './process.mjs';

const SPARE = 2e9; // bytes of disk that stay free
const PIECE = 1 << 20;

/** The path of what `peer` loads for weights of `type`; makes what is missing. */
export async function prepareInput(peer, type, options, pathOf) {
  mkdirSync(options.models, { recursive: true });
  if (peer.input === 'gguf') return prepareGguf(type, options);
  const gguf = await prepareGguf('BF16', options);
  const checkpoint = `${stem(options)}-checkpoint`;
  if (!existsSync(checkpoint)) {
    needDisk(options.models, statSync(gguf).size);
    await step(`writing ${checkpoint}`, async () => writeCheckpoint(gguf, checkpoint));
  }
  if (peer.input === 'checkpoint') return checkpoint;
  const output = `${stem(options)}-${peer.input}`;
  if (existsSync(output)) return output;
  const { size } = statSync(gguf);
  needDisk(options.models, size / 2);
  if (1.7 * size > freeMemory())
    throw new StepError(
      `${peer.title} needs ${gigabytes(1.7 * size)} of memory to convert; ${gigabytes(freeMemory())} are free.`,
    );
  const part = `${output}.part`;
  rmSync(part, { recursive: true, force: true });
  const { error } = await step(`converting for ${peer.title}`, () =>
    runDriver(peer, pathOf(peer), { checkpoint, output: part }, 1800),
  );
  if (error) throw new StepError(`${peer.title} cannot convert ${checkpoint}: ${error}`);
  renameSync(part, output);
  return output;
}

async function prepareGguf(type, options) {
  const path = `${stem(options)}-${type.toLowerCase()}.gguf`;
  if (existsSync(path)) return path;
  const layers = options.layers === null ? {} : { numHiddenLayers: options.layers };
  const settings = { shape: options.shape, type, ...layers };
  const { tensorBytes } = await neox.synth(path, { ...settings, dryRun: true });
  needDisk(options.models, tensorBytes);
  await step(`writing ${path}`, () => neox.synth(path, settings));
  return path;
}

const stem = ({ models, shape, layers }) => join(models, layers === null ? shape : `${shape}-${layers}`);

function needDisk(folder, bytes) {
  const free = freeDisk(folder);
  if (free >= bytes + SPARE) return;
  throw new StepError(
    `${folder} has ${gigabytes(free)} free; ${gigabytes(bytes + SPARE)} are needed. --models names another folder.`,
  );
}

export const gigabytes = (value) => `${(value / 1e9).toFixed(1)} GB`;

/** Bytes of a file or of the files in a folder. */
export function sizeOf(path) {
  return filesOf(path).reduce((sum, file) => sum + statSync(file).size, 0);
}

const READS = 3;

/**
 * Seconds that one thread takes to read it all in pieces of 1 MiB, the best of three; then it is in the page cache, as far as that
 * is large enough.
 */
export function readAll(path) {
  return Math.min(...Array.from({ length: READS }, () => readOnce(path)));
}

function readOnce(path) {
  const buffer = Buffer.alloc(PIECE);
  const begin = performance.now();
  for (const name of filesOf(path)) {
    const file = openSync(name, 'r');
    while (readSync(file, buffer, 0, PIECE, null) > 0);
    closeSync(file);
  }
  return (performance.now() - begin) / 1000;
}

function filesOf(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).map((name) => join(path, name));
}
