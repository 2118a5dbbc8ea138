// The types that our quantizer gives the tensors of a model, against those that llama.cpp gives it. Runs where a Python with
// the packages gguf and llama-cpp-python is at hand (NEOX_PYTHON names one; python3 otherwise).

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FILE_TYPES, type FileType, Model, quantize } from '../../lib/index.js';
import { FILE_TYPE_NUMBERS } from './llama-ftype.js';
import { run, testWhere } from './python.js';

const folder = mkdtempSync(join(tmpdir(), 'neox-types-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Types = Record<string, string>;

function typesOfLlamaCpp(layers: number, embd: number, ff: number, mode: string): Record<FileType, Types> {
  const sizes = [layers, embd, ff].map(String);
  const numbers = Object.entries(FILE_TYPE_NUMBERS).map((pair) => pair.join('='));
  return JSON.parse(run('llama_types.py', [folder, ...sizes, mode, ...numbers])) as Record<FileType, Types>;
}

async function ownTypes(type: FileType, pure: boolean): Promise<Types> {
  const output = join(folder, 'own.gguf');
  await quantize(join(folder, 'f16.gguf'), output, { type, pure });
  const { tensors, fileType } = await Model.inspect(output);
  expect(fileType).toBe(type);
  return Object.fromEntries(tensors.map((tensor) => [tensor.name, tensor.type]));
}

// Layers, hidden, feed-forward: every rule of the mixes, then rows that K blocks do not fit, then rows that none fits.
testWhere('llama_cpp, gguf').each([
  [4, 256, 256, 'plain'],
  [8, 256, 256, 'plain'],
  [16, 256, 256, 'plain'],
  [36, 256, 256, 'plain'],
  [4, 256, 160, 'plain'],
  [4, 96, 160, 'plain'],
  [2, 48, 80, 'plain'],
  [2, 96, 256, 'pure'],
])(
  '%i layers of %i and %i, %s',
  (layers, embd, ff, mode) => {
    return compare(layers, embd, ff, mode);
  },
  120_000,
);

async function compare(layers: number, embd: number, ff: number, mode: string): Promise<void> {
  const theirs = typesOfLlamaCpp(layers, embd, ff, mode);
  expect(Object.keys(theirs).sort()).toEqual([...FILE_TYPES].sort());
  for (const type of FILE_TYPES)
    expect([type, await ownTypes(type, mode === 'pure')]).toEqual([type, theirs[type]]);
}
