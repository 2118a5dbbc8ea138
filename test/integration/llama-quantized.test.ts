// Quantized files in the hands of others, and theirs in ours: llama.cpp computes the logits of what we wrote in every type, and
// we those of what it wrote. Runs where a Python with llama-cpp-python is at hand (NEOX_PYTHON names one; python3 otherwise).

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert, FILE_TYPES, type FileType, Model, quantize } from '../../lib/index.js';
import { relativeError } from './fixtures.js';
import { FILE_TYPE_NUMBERS } from './llama-ftype.js';
import { run, testWhere } from './python.js';
import { writeWide } from './wide-checkpoint.js';

const folder = mkdtempSync(join(tmpdir(), 'neox-llama-quantized-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

const ids = Array.from({ length: 24 }, (_, i) => 4 + ((i * 37 + 11) % 92));

// It rounds the activations of quantized weights to 8 bits, of K-quants with one scale for 256; ours are exact here. Measured:
// 0.05 % of the largest logit for F32, 1.2 % for Q8_0, up to 2.6 % for the others.
const TOLERANCE = 0.04;

async function logits(path: string): Promise<{ ours: Float32Array; theirs: Float32Array }> {
  const printed = run('llama_logits.py', [path, ...ids.map(String)]);
  const theirs = new Float32Array(new Uint8Array(Buffer.from(printed, 'base64')).buffer);
  const model = await Model.load(path, { precision: 'exact', kvCacheType: 'f16' });
  const { data } = await model.logits(ids, { positions: 'all' });
  await model.dispose();
  expect(theirs.length).toBe(data.length);
  return { ours: data, theirs };
}

beforeAll(async () => {
  await convert(writeWide('sequential-tanh', at('wide')), at('f16.gguf'), { type: 'F16' });
});

testWhere('llama_cpp').each(FILE_TYPES)('llama.cpp loads %s of ours', async (type: FileType) => {
  const file = at(`ours.${type}.gguf`);
  await quantize(at('f16.gguf'), file, { type });
  const { ours, theirs } = await logits(file);
  expect(relativeError(theirs, ours)).toBeLessThan(TOLERANCE);
});

testWhere('llama_cpp').each(FILE_TYPES)('we load %s of llama.cpp', async (type: FileType) => {
  const file = at(`theirs.${type}.gguf`);
  run('llama_quantize.py', [at('f16.gguf'), file, String(FILE_TYPE_NUMBERS[type])]);
  expect((await Model.inspect(file)).fileType).toBe(type);
  const { ours, theirs } = await logits(file);
  expect(relativeError(theirs, ours)).toBeLessThan(TOLERANCE);
});
