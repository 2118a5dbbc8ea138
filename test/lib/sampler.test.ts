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
  minTokensToKeep?: number;
  scores: (number | null)[];
  expected: (number | null)[];
}

const path = join(__dirname, '../fixtures/sampler.json');
const { cases }: { cases: Case[] } = JSON.parse(readFileSync(path, 'utf8'));
const row = (values: (number | null)[]): number[] => values.map((value) => value ?? Number.NEGATIVE_INFINITY);

const byName = new Map<string, Case[]>();
for (const one of cases) byName.set(one.name, [...(byName.get(one.name) ?? []), one]);

test.each([...byName])('%s', (name, all) => {
  for (const { options, ids, scores, expected, ...rest } of all) {
    const given = Float32Array.from(row(scores));
    const before = Array.from(given);
    const { promptLength, minTokensToKeep = 1 } = rest;
    let got = Array.from(new Sampler(options).process(given, ids, { promptLength, minTokensToKeep }));
    let wanted = row(expected);
    expect(Array.from(given)).toEqual(before);
    // torch's sort leaves open which of equal scores on the border of top-p goes first.
    if (name === 'topP with ties') [got, wanted] = [got.sort(), wanted.sort()];
    expect(got.map(Number.isFinite)).toEqual(wanted.map(Number.isFinite));
    got.forEach((value, index) => {
      const want = wanted[index] as number;
      if (!Number.isFinite(want)) return;
      const tolerance = name.startsWith('random')
        ? 1e-6 * Math.abs(want)
        : 2e-6 * Math.max(1, Math.abs(want));
      expect(Math.abs(value - want)).toBeLessThanOrEqual(tolerance);
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

test('choices of one seed are drawn apart', () => {
  const scores = new Float32Array(1000);
  const sampler = new Sampler({ temperature: 1, topK: 0, seed: 3 });
  const draws = Array.from({ length: 20 }, (_, choice) => sampler.sample(scores, [1], { choice }));
  expect(new Set(draws).size).toBeGreaterThan(15);
  expect(draws[0]).toBe(sampler.sample(scores, [1]));
});

test.each([{ choice: -1 }, { choice: 0.5 }, { minTokensToKeep: 0 }, { promptLength: 2 }, { unknown: 1 }])(
  'the context %j is an error',
  (context) => {
    expect(() => new Sampler().process(Float32Array.of(1, 2), [0], context)).toThrow(
      expect.objectContaining({ code: 'ERR_NEOX_INVALID_ARGUMENT' }),
    );
  },
);

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

describe("beside Hugging Face's", () => {
  const ids = [4, 5, 6, 1, 2, 2, 4, 5];
  const process = (options: SamplerOptions, size = 7): number[] =>
    Array.from(new Sampler(options).process(new Float32Array(size), ids, { promptLength: 3 }));

  test('presence and frequency penalties count the output alone', () => {
    expect(process({ presencePenalty: 0.5, frequencyPenalty: 0.25 })).toEqual([
      0, -0.75, -1, 0, -0.75, -0.75, 0,
    ]);
    expect(process({ presencePenalty: -0.5 })[1]).toBe(0.5);
  });

  test.each([
    [{ 1: 2.5, 3: -100 }],
    [
      new Map([
        [1, 2.5],
        [3, -100],
      ]),
    ],
  ])('logitBias %p', (logitBias) => {
    expect(process({ logitBias })).toEqual([0, 2.5, 0, -100, 0, 0, 0]);
  });

  test('DRY penalizes what would extend a repetition', () => {
    expect(process({ dryMultiplier: 0.5 })).toEqual([0, 0, 0, 0, 0, 0, -0.5]);
    expect(process({ dryMultiplier: 0.5, dryBase: 3, dryAllowedLength: 1 })[6]).toBe(-1.5);
    expect(process({ dryMultiplier: 0.5, dryRange: 5 })[6]).toBe(0);
    expect(process({ dryMultiplier: 0.5, drySequenceBreakers: [[5]] })[6]).toBe(0);
    expect(process({ dryMultiplier: 0.5, drySequenceBreakers: [[2, 4]] })[6]).toBe(0);
    expect(process({ dryMultiplier: 0.5, drySequenceBreakers: [[2, 2]] })[6]).toBe(-0.5);
  });

  test.each<[string, object]>([
    ['presencePenalty', { presencePenalty: Number.NaN }],
    ['frequencyPenalty', { frequencyPenalty: '1' }],
    ['logitBias', { logitBias: [1] }],
    ['logitBias', { logitBias: { a: 1 } }],
    ['logitBias', { logitBias: { 1: Number.NEGATIVE_INFINITY } }],
    ['logitBias', { logitBias: new Map([[-1, 1]]) }],
    ['logitBias', { logitBias: new Map([[1.5, 1]]) }],
    ["logitBias's key", { logitBias: new Map([[null as unknown as number, 1]]) }],
    [
      'sequenceBias[1][0]',
      {
        sequenceBias: [
          [[1], 1],
          [[], 1],
        ],
      },
    ],
    ['dryMultiplier', { dryMultiplier: -1 }],
    ['dryBase', { dryBase: 0.5 }],
    ['dryAllowedLength', { dryAllowedLength: 0 }],
    ['dryRange', { dryRange: 1.5 }],
    ['drySequenceBreakers', { drySequenceBreakers: 'x' }],
    ['drySequenceBreakers', { drySequenceBreakers: [''] }],
    ['drySequenceBreakers[1]', { drySequenceBreakers: [[1], []] }],
    ['drySequenceBreakers[0]', { drySequenceBreakers: ['\ud800'] }],
    ['drySequenceBreakers', { dryMultiplier: 1, drySequenceBreakers: ['x'] }],
  ])('a bad %s is an error that names it', (name, options) => {
    expect(() => new Sampler(options)).toThrow(
      expect.objectContaining({
        code: 'ERR_NEOX_INVALID_ARGUMENT',
        message: expect.stringContaining(`\`${name}`),
      }),
    );
  });

  test('ids beyond the vocabulary are an error', () => {
    for (const options of [{ logitBias: { 7: 1 } }, { dryMultiplier: 1, drySequenceBreakers: [[7]] }])
      expect(() => process(options)).toThrow(expect.objectContaining({ code: 'ERR_NEOX_INVALID_ARGUMENT' }));
  });
});

test('scores without a choice are an error', () => {
  const nan = expect.objectContaining({ code: 'ERR_NEOX_NAN' });
  const none = Number.NEGATIVE_INFINITY;
  expect(() => new Sampler().sample(Float32Array.of(1, Number.NaN), [0])).toThrow(nan);
  expect(() => new Sampler().sample(Float32Array.of(none, none), [0])).toThrow(nan);
});
