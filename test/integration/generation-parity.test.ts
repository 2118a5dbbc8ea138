// generate() of transformers 4.57.6 on every checkpoint, five prompts each: greedy, penalised, blocked, every processor, beams.

import { type Model, Sampler } from '../../lib/index.js';
import { checkpointNames } from './fixtures.js';
import { type Case, cases, compare, generate, loadExact, promptOf, prompts } from './generation-cases.js';

const FAMILIES = [
  ...['greedy', 'penalised', 'blocked', 'processors', 'eos'],
  ...['beams', 'beams until eos', 'beams with processors'],
];

test('the cases are five prompts of each checkpoint in every family, nearly all clear', () => {
  expect(Object.keys(prompts).sort()).toEqual(checkpointNames);
  for (const family of FAMILIES) {
    const found = cases.filter((one) => one.family === family && !one.embeddings);
    expect(new Set(found.map((one) => `${one.checkpoint} ${one.prompt}`)).size).toBe(
      5 * checkpointNames.length,
    );
    expect(found.filter((one) => one.open.length > 0).length).toBeLessThan(0.1 * found.length);
  }
});

describe.each(checkpointNames)('%s', (checkpoint) => {
  let model: Model;
  beforeAll(async () => {
    model = await loadExact(checkpoint);
  });
  afterAll(() => model.dispose());

  const own = cases.filter((one) => one.checkpoint === checkpoint);
  const endsWithEos = ({ options, sequences }: Case): boolean => {
    const last = sequences[0]?.at(-1) ?? -1;
    return [options.eosTokenId ?? []].flat().includes(last);
  };

  test.each(FAMILIES)('%s', async (family) => {
    const found = own.filter((one) => one.family === family);
    expect(found.length).toBeGreaterThanOrEqual(5);
    for (const one of found) {
      const result = await generate(model, promptOf(one), one);
      const drafting = { ...one, options: { ...one.options, promptLookupNumTokens: 4 } };
      const drafted = await generate(model, promptOf(one), drafting);
      expect(drafted.tokenIds).toEqual(result.tokenIds);
      const verdict = compare(one, result);
      if (verdict === 'open') continue;
      expect([one.prompt, one.options, verdict]).toEqual([one.prompt, one.options, 'same']);
      expect(result.finishReason).toBe(endsWithEos(one) ? 'eos' : 'length');
      for (const [index, score] of (one.scores ?? []).entries()) {
        const ours = result.sequences[index]?.score ?? Number.NaN;
        expect(Math.abs(ours - score)).toBeLessThan(1e-4 * Math.max(1, Math.abs(score)));
      }
    }
  });
});

test('a processor of your own is given what the penalties leave, before temperature and top-k', async () => {
  const model = await loadExact('pythia');
  const penalties = { repetitionPenalty: 1.5, suppressTokens: [7], eosTokenId: null };
  const seen: { ids: number[]; scores: Float32Array }[] = [];
  const logitsProcessor = (ids: readonly number[], scores: Float32Array): void => {
    seen.push({ ids: [...ids], scores: scores.slice() });
    scores[seen.length] = 1000;
  };
  const options = { ...penalties, temperature: 0.5, topK: 3, maxNewTokens: 4, logitsProcessor };
  const { tokenIds } = await model.generate([5, 6, 7], options).result();
  expect(tokenIds).toEqual([1, 2, 3, 4]);
  for (const [step, { ids, scores }] of seen.entries()) {
    expect(ids).toEqual([5, 6, 7, ...tokenIds.slice(0, step)]);
    const { data } = await model.logits(ids);
    const expected = new Sampler(penalties).process(data, ids, { promptLength: 3 });
    expect(scores.indexOf(Number.NEGATIVE_INFINITY)).toBe(7);
    expect(
      scores.every((value, i) => value === expected[i] || Math.abs(value - (expected[i] ?? 0)) < 1e-4),
    ).toBe(true);
  }
  await model.dispose();
});
