// generate() of transformers 4.57.6 on every checkpoint, five prompts each: greedy, penalised, blocked, every processor.

import type { Model } from '../../lib/index.js';
import { checkpointNames } from './fixtures.js';
import { type Case, cases, compare, generate, loadExact, promptOf, prompts } from './generation-cases.js';

const GREEDY = ['greedy', 'penalised', 'blocked', 'processors', 'eos'];

test('the cases are five prompts of each checkpoint in every family, nearly all clear', () => {
  expect(Object.keys(prompts).sort()).toEqual(checkpointNames);
  for (const family of GREEDY) {
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

  test.each(GREEDY)('%s', async (family) => {
    const found = own.filter((one) => one.family === family);
    expect(found.length).toBeGreaterThanOrEqual(5);
    for (const one of found) {
      const result = await generate(model, promptOf(one), one);
      const verdict = compare(one, result);
      if (verdict === 'open') continue;
      expect([one.prompt, one.options, verdict]).toEqual([one.prompt, one.options, 'same']);
      expect(result.finishReason).toBe(endsWithEos(one) ? 'eos' : 'length');
    }
  });
});
