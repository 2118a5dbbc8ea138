// The measurements of `neox bench`, through the public API.

import type { Model } from '../index.js';

/** Either `nPrompt` or `nGen` is 0. */
export interface BenchTest {
  nPrompt: number;
  nGen: number;
  /** Tokens that are in the cache before. */
  depth: number;
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
): BenchTest[] {
  return depths.flatMap((depth) => [
    ...prompts.filter((nPrompt) => nPrompt > 0).map((nPrompt) => ({ nPrompt, nGen: 0, depth })),
    ...gens.filter((nGen) => nGen > 0).map((nGen) => ({ nPrompt: 0, nGen, depth })),
  ]);
}

/** llama-bench's names: `pp512`, `tg128 @ d1024`. */
export function testName({ nPrompt, nGen, depth }: BenchTest): string {
  const name = nPrompt > 0 ? `pp${nPrompt}` : `tg${nGen}`;
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

// Of the tokens after the first, which belongs to the prompt's pass.
async function measureGeneration(
  model: Model,
  { nGen, depth }: BenchTest,
  random: RandomIds,
  signal: AbortSignal,
): Promise<number> {
  const prompt = random(Math.max(1, depth));
  const result = await model.generate(prompt, { ...fixed, maxNewTokens: nGen + 1, signal }).result();
  return result.timings.decodeMs;
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
