// What `neox bench` measures: lengths, and the names that llama-bench gives them.

/** A prompt (`nGen` is 0), a generation (`nPrompt` is 0), or a generation that follows a prompt. */
export interface BenchTest {
  nPrompt: number;
  nGen: number;
  /** Tokens that are in the cache before. */
  depth: number;
  /** Sequences that generate at once, so that a step has as many rows; 1 where there is a prompt. */
  sequences: number;
  /** The prompt of a run with real text; else prompts are random ids. */
  ids?: readonly number[];
}

export type TestKind = 'pp' | 'tg' | 'pg' | 'text';

export interface TestLists {
  prompts: readonly number[];
  gens: readonly number[];
  pairs: readonly (readonly [number, number])[];
  depths: readonly number[];
  sequences: readonly number[];
}

/** In llama-bench's order: at each depth the prompts, the generations, the pairs. */
export function listTests({ prompts, gens, pairs, depths, sequences }: TestLists): BenchTest[] {
  const some = (counts: readonly number[]): readonly number[] => counts.filter((count) => count > 0);
  return depths.flatMap((depth) => [
    ...some(prompts).map((nPrompt) => ({ nPrompt, nGen: 0, depth, sequences: 1 })),
    ...some(gens).flatMap((nGen) =>
      sequences.map((count) => ({ nPrompt: 0, nGen, depth, sequences: count })),
    ),
    ...pairs.map(([nPrompt, nGen]) => ({ nPrompt, nGen, depth, sequences: 1 })),
  ]);
}

export function testKind({ nPrompt, nGen, ids }: BenchTest): TestKind {
  if (ids !== undefined) return 'text';
  if (nGen === 0) return 'pp';
  return nPrompt === 0 ? 'tg' : 'pg';
}

/** `pp512`, `tg128 @ d1024`, `pp512+tg128`; ours: `tg32 x4` of several sequences, `text38+tg64`. */
export function testName(test: Omit<BenchTest, 'ids'>, kind: TestKind): string {
  const { nPrompt, nGen, depth, sequences } = test;
  const prompt = nPrompt > 0 ? `${kind === 'text' ? 'text' : 'pp'}${nPrompt}` : '';
  const gen = nGen > 0 ? `tg${nGen}` : '';
  const name = `${prompt}${prompt && gen ? '+' : ''}${gen}${sequences > 1 ? ` x${sequences}` : ''}`;
  return depth > 0 ? `${name} @ d${depth}` : name;
}

/** Positions that the longest test takes: a generation begins with one token of prompt. */
export function positionsNeeded(tests: readonly BenchTest[]): number {
  return Math.max(2, ...tests.map(({ nPrompt, nGen, depth }) => depth + Math.max(1, nPrompt) + nGen + 1));
}
