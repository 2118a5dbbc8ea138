// Whether a model is sound: every tensor there with its shape, every number finite, every file as its checksum says.

import { createReadStream, existsSync, lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { NeoxError } from './errors.js';
import { createHash } from './hash.js';
import { filesUnder, resolveModelPath } from './hub-cache.js';
import { isCommit } from './hub-names.js';
import type { BadTensor } from './job-types.js';
import { checkJobOptions, JOB_OPTIONS, type JobOptions, runJob } from './jobs.js';
import { findKnownFile, warningOf } from './known-files.js';
import { native } from './native.js';
import { Tokenizer } from './tokenizer.js';
import { assertKnownOptions, assertString } from './validate.js';

/** A file of a model, as it lies there. */
export interface VerifiedFile {
  /** Within the directory, with `/` between the parts. */
  name: string;
  /** Its size. */
  bytes: number;
  /** Of its content, in hexadecimal digits. */
  sha256: string;
  /** By which model cards name their files. */
  md5: string;
  /** Whether the content is what its name in the hub's cache says; undefined for a file that is not kept there. */
  isIntact: boolean | undefined;
  /** What is known of a file with this sum. */
  note: string | undefined;
}

/** What `verify` has found. */
export interface Verification {
  /** The file or directory that was read. */
  path: string;
  /** No bad tensor, no damaged file. */
  isSound: boolean;
  /** How many were read. */
  tensors: number;
  /** Numbers in them. */
  elements: number;
  /** Those with numbers that are not finite; `row` and `column` are the first one's. */
  badTensors: BadTensor[];
  /** Whether there is one that can be used. */
  hasTokenizer: boolean;
  /** Why the tokenizer that is there cannot be used, where that is so; prompts are then ids. */
  tokenizerNote?: string;
  /** All files of the directory, or the one file. */
  files: VerifiedFile[];
  /** What is known against a file. */
  warnings: string[];
}

/**
 * Reads all of a model, which loading does not do twice: it never computes a checksum.
 * @param path - a .gguf file, a Hugging Face directory or a pulled repository
 * @throws FormatError for a file or a tokenizer that is not what it must be; `signal.reason` after an abort
 */
export async function verify(path: string, options: JobOptions = {}): Promise<Verification> {
  assertString('path', path);
  assertKnownOptions('verify', options, JOB_OPTIONS);
  checkJobOptions(options);
  const { onProgress, signal } = options;
  const place = resolveModelPath(path);
  const files = filesOf(place);
  const fileBytes = files.reduce((sum, { file }) => sum + statSync(file).size, 0);

  let checked = 0;
  const found = await runJob((report) => native().verify(place, report), {
    ...options,
    ...(onProgress
      ? { onProgress: ({ done, total }) => onProgress({ done, total: total + fileBytes }) }
      : {}),
  });
  const tokenizer = await checkTokenizer(place);
  const verified: VerifiedFile[] = [];
  for (const { name, file } of files) {
    const report = (bytes: number): void => {
      checked += bytes;
      onProgress?.({ done: found.tensorBytes + checked, total: found.tensorBytes + fileBytes });
    };
    verified.push({ name, ...(await verifyFile(file, report, signal)) });
  }
  const warnings = verified.flatMap(({ name, md5 }) => warningOf(name, md5) ?? []);
  const { tensors, elements, badTensors } = found;
  const isSound = badTensors.length === 0 && verified.every(({ isIntact }) => isIntact !== false);
  return { path: place, isSound, tensors, elements, badTensors, ...tokenizer, files: verified, warnings };
}

/** @throws FormatError for a tokenizer that is there and broken */
async function checkTokenizer(path: string): Promise<Pick<Verification, 'hasTokenizer' | 'tokenizerNote'>> {
  try {
    await Tokenizer.load(path);
    return { hasTokenizer: true };
  } catch (error) {
    const { code, message } = error as NeoxError;
    if (code === 'ERR_NEOX_NO_TOKENIZER') return { hasTokenizer: false };
    if (code === 'ERR_NEOX_UNSUPPORTED') return { hasTokenizer: false, tokenizerNote: message };
    throw error;
  }
}

/** Of a pulled repository every file; of another directory those that lie in it, as those of a checkpoint do. */
function filesOf(place: string): { name: string; file: string }[] {
  if (!statSync(place, { throwIfNoEntry: false })?.isDirectory()) {
    return existsSync(place) ? [{ name: basename(place), file: place }] : [];
  }
  const names = isCommit(basename(place)) ? filesUnder(place) : readdirSync(place).sort();
  return names
    .map((name) => ({ name, file: join(place, name) }))
    .filter(({ file }) => statSync(file, { throwIfNoEntry: false })?.isFile());
}

async function verifyFile(
  path: string,
  report: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<Omit<VerifiedFile, 'name'>> {
  const { size } = statSync(path);
  const [sha256, md5, git] = [createHash('sha256'), createHash('md5'), createHash('sha1')];
  git.update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    signal?.throwIfAborted();
    for (const hash of [sha256, md5, git]) hash.update(chunk as Buffer);
    report((chunk as Buffer).length);
  }
  const sums = { sha256: sha256.digest('hex'), md5: md5.digest('hex') };
  const expected = blobName(path);
  const isIntact = expected === undefined ? undefined : [sums.sha256, git.digest('hex')].includes(expected);
  return { bytes: size, ...sums, isIntact, note: findKnownFile(sums.md5)?.note };
}

/** The checksum that the hub's cache has as the name of a file's content. */
function blobName(path: string): string | undefined {
  if (!lstatSync(path).isSymbolicLink()) return undefined;
  const name = basename(readlinkSync(path));
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(name) ? name : undefined;
}
