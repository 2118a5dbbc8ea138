// The measurements of `neox bench`, through the public API.

import type { Model } from '../index.js';

/** Either `nPrompt` or `nGen` is 0. */
export interface BenchTest {
  nPrompt: number;
  nGen: number;
  /** Tokens that are in the cache before. */
  depth: number;
  /** Sequences that generate at once, so that a step has as many rows; 1 for a prompt. */
  sequences: number;
}

export interface MeasureOptions {
  repetitions: number;
  warmup: boolean;
  signal: AbortSignal;
}

export function listTests(
  prompts: readonly number[],
  gens: readonly number[],
  depths: readonly number[],
  batches: readonly number[],
): BenchTest[] {
  const pick = (counts: readonly number[]): readonly number[] => counts.filter((count) => count > 0);
  return depths.flatMap((depth) => [
    ...pick(prompts).map((nPrompt) => ({ nPrompt, nGen: 0, depth, sequences: 1 })),
    ...pick(gens).flatMap((nGen) => batches.map((sequences) => ({ nPrompt: 0, nGen, depth, sequences }))),
  ]);
}

/** llama-bench's names: `pp512`, `tg128 @ d1024`; of several sequences `tg32 x4`. */
export function testName({ nPrompt, nGen, depth, sequences }: BenchTest): string {
  const name = nPrompt > 0 ? `pp${nPrompt}` : `tg${nGen}${sequences > 1 ? ` x${sequences}` : ''}`;
  return depth > 0 ? `${name} @ d${depth}` : name;
}

/** Positions that the longest test takes: a generation begins with one token of prompt. */
export function positionsNeeded(tests: readonly BenchTest[]): number {
  return Math.max(2, ...tests.map(({ nPrompt, nGen, depth }) => Math.max(1, depth) + nPrompt + nGen + 1));
}

/** Nanoseconds of each repetition. Prompts are random ids, new ones each time, so that nothing is found in a cache. */
export async function measure(model: Model, test: BenchTest, options: MeasureOptions): Promise<number[]> {
  const { repetitions, warmup, signal } = options;
  const random = randomIds(model.config.vocabSize);
  const once = test.nPrompt > 0 ? measurePrompt : measureGeneration;
  if (warmup) await once(model, { ...test, nGen: Math.min(test.nGen, 4) }, random, signal);
  const samples: number[] = [];
  for (let index = 0; index < repetitions; index++) {
    samples.push(Math.round(1e6 * (await once(model, test, random, signal))));
  }
  return samples;
}

type RandomIds = (count: number) => number[];

// Until the first new token; what is before the prompt is not timed.
async function measurePrompt(
  model: Model,
  { nPrompt, depth }: BenchTest,
  random: RandomIds,
  signal: AbortSignal,
): Promise<number> {
  const session = model.createSession();
  const options = { ...fixed, maxNewTokens: 1, signal };
  try {
    if (depth > 0) {
      await session.generate(random(depth), options).result();
      session.truncate(depth);
    }
    return (await session.generate(random(nPrompt), options).result()).timings.prefillMs;
  } finally {
    session.dispose();
  }
}

// Of the tokens after the first, which belongs to the prompt's pass; of several sequences the mean, since they begin one after
// the other and end so.
async function measureGeneration(
  model: Model,
  { nGen, depth, sequences }: BenchTest,
  random: RandomIds,
  signal: AbortSignal,
): Promise<number> {
  const options = { ...fixed, maxNewTokens: nGen + 1 };
  // A signal of its own for each: Node.js warns of many listeners on one.
  const calls = Array.from({ length: sequences }, () =>
    model.generate(random(Math.max(1, depth)), { ...options, signal: AbortSignal.any([signal]) }),
  );
  const results = await Promise.all(calls.map((call) => call.result()));
  return results.reduce((sum, { timings }) => sum + timings.decodeMs, 0) / sequences;
}

// Nothing is drafted: random weights repeat themselves, and a step is to be measured.
const fixed = { eosTokenId: null, temperature: 0, promptLookupNumTokens: 0 };

// xorshift32: the same prompts in every run.
function randomIds(vocabSize: number): RandomIds {
  let state = 0x9e3779b9;
  return (count) =>
    Array.from({ length: count }, () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 0) % vocabSize;
    });
}
