// The committed checkpoints and their golden values.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const fixturesDir = join(__dirname, '..', 'fixtures');
export const checkpointsDir = join(fixturesDir, 'checkpoints');
export const checkpointNames = readdirSync(checkpointsDir).sort();

export function checkpointPath(name: string): string {
  return join(checkpointsDir, name);
}

export interface GoldenTensor {
  shape: number[];
  data: Float32Array | Int32Array;
}

/** The golden values of a checkpoint. */
export function readGolden(name: string): Record<string, GoldenTensor> {
  return readTensors(join(checkpointPath(name), 'golden.safetensors'));
}

/** Reads a small safetensors file of F32 and I32. */
export function readTensors(path: string): Record<string, GoldenTensor> {
  const file = readFileSync(path);
  const headerLength = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerLength));
  const tensors: Record<string, GoldenTensor> = {};
  for (const [key, entry] of Object.entries<{
    dtype: string;
    shape: number[];
    data_offsets: [number, number];
  }>(header)) {
    if (key === '__metadata__') continue;
    const [begin, end] = entry.data_offsets;
    // A copy, because the file's offsets need not be aligned.
    const bytes = Uint8Array.from(file.subarray(8 + headerLength + begin, 8 + headerLength + end)).buffer;
    const data = entry.dtype === 'F32' ? new Float32Array(bytes) : new Int32Array(bytes);
    tensors[key] = { shape: entry.shape, data };
  }
  return tensors;
}

/** The ids of `long_logits`, which scripts/fixtures/checkpoints.py makes by the same rule. */
export function longPromptIds(count: number, vocabSize: number): number[] {
  const ids: number[] = [];
  for (let x = 1; ids.length < count; ) {
    x = (75 * x + 74) % 65537;
    ids.push(4 + (x % (vocabSize - 4)));
  }
  return ids;
}

export function largest(values: ArrayLike<number>): number {
  let max = 0;
  for (let i = 0; i < values.length; i++) max = Math.max(max, Math.abs(values[i] ?? Number.NaN));
  return max;
}

/** The largest difference, over the largest expected magnitude; NaN where the lengths differ. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.NaN;
  const differences = Array.from(expected, (value, index) => (actual[index] ?? Number.NaN) - value);
  return largest(differences) / largest(expected);
}
