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

test('scores without a choice are an error', () => {
  const nan = expect.objectContaining({ code: 'ERR_NEOX_NAN' });
  const none = Number.NEGATIVE_INFINITY;
  expect(() => new Sampler().sample(Float32Array.of(1, Number.NaN), [0])).toThrow(nan);
  expect(() => new Sampler().sample(Float32Array.of(none, none), [0])).toThrow(nan);
});
