// The addon's sampler against the logits processors of transformers 4.57.6.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Sampler } from '../../lib/sampler';
import type { SamplerOptions } from '../../lib/types';

interface Case {
  name: string;
  options: SamplerOptions & { maxLength?: number };
  ids: number[];
  promptLength: number;
  scores: (number | null)[];
  expected: (number | null)[];
}

const path = join(__dirname, '../fixtures/sampler.json');
const { cases }: { cases: Case[] } = JSON.parse(readFileSync(path, 'utf8'));
const row = (values: (number | null)[]): number[] => values.map((value) => value ?? Number.NEGATIVE_INFINITY);

const byName = new Map<string, Case[]>();
for (const one of cases) byName.set(one.name, [...(byName.get(one.name) ?? []), one]);

test.each([...byName])('%s', (name, all) => {
  for (const { options, ids, promptLength, scores, expected } of all) {
    const given = Float32Array.from(row(scores));
    const before = Array.from(given);
    let got = Array.from(new Sampler(options).process(given, ids, { promptLength }));
    let wanted = row(expected);
    expect(Array.from(given)).toEqual(before);
    // torch's sort leaves open which of equal scores on the border of top-p goes first.
    if (name === 'topP with ties') [got, wanted] = [got.sort(), wanted.sort()];
    expect(got.map(Number.isFinite)).toEqual(wanted.map(Number.isFinite));
    got.forEach((value, index) => {
      const want = wanted[index] as number;
      if (Number.isFinite(want))
        expect(Math.abs(value - want)).toBeLessThanOrEqual(2e-6 * Math.max(1, Math.abs(want)));
    });
  }
});

test('top-p subtracts before it rounds', () => {
  // Probabilities 0.100000016 and 0.899999984: transformers compares with 1 - 0.9 rounded, 0.100000001; the f32 nearest
  // to 0.9 would leave 0.100000024.
  const scores = Float32Array.of(-2.1972244, 0);
  const options = { temperature: 1, topK: 0, doSample: true };
  const kept = (topP: number) =>
    Array.from(new Sampler({ ...options, topP }).process(scores, [0], { promptLength: 1 }));
  expect(kept(0.9)).toEqual(Array.from(scores));
  expect(kept(Math.fround(0.9))).toEqual([Number.NEGATIVE_INFINITY, 0]);
});

test('greedy takes the first of the largest', () => {
  expect(new Sampler().sample(Float32Array.of(1, 3, 3, 2), [0])).toBe(1);
  expect(new Sampler({ suppressTokens: [1] }).sample(Float32Array.of(1, 3, 3, 2), [0])).toBe(2);
});

test('a draw follows from seed, number of ids and scores', () => {
  const scores = Float32Array.from({ length: 100 }, (_, index) => Math.sin(index * 7));
  const draws = (seed: number) => {
    const sampler = new Sampler({ temperature: 1.5, topK: 0, seed });
    return Array.from({ length: 40 }, (_, index) => sampler.sample(scores, new Int32Array(index + 1)));
  };
  expect(draws(1)).toEqual(draws(1));
  expect(draws(1)).not.toEqual(draws(2));
  expect(new Set(draws(1)).size).toBeGreaterThan(20);
});

test.each<[string, unknown, unknown]>([
  ['ids that are no list', Float32Array.of(1, 2), { length: 1e9 }],
  ['ids that are no integers', Float32Array.of(1, 2), [0.5]],
  ['negative ids', Float32Array.of(1, 2), [-1]],
  ['ids as floats', Float32Array.of(1, 2), Float32Array.of(1)],
  ['scores as doubles', Float64Array.of(1, 2), [0]],
])('%s are an error', (_, scores, ids) => {
  for (const method of ['process', 'sample'] as const) {
    expect(() => new Sampler()[method](scores as never, ids as never)).toThrow(
      expect.objectContaining({ code: 'ERR_NEOX_INVALID_ARGUMENT' }),
    );
  }
});

test('scores without a choice are an error', () => {
  const nan = expect.objectContaining({ code: 'ERR_NEOX_NAN' });
  const none = Number.NEGATIVE_INFINITY;
  expect(() => new Sampler().sample(Float32Array.of(1, Number.NaN), [0])).toThrow(nan);
  expect(() => new Sampler().sample(Float32Array.of(none, none), [0])).toThrow(nan);
});
