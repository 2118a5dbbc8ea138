// Prompts of text, ids and embeddings in any order and number, against transformers' inputs_embeds in precision exact.

import { join } from 'node:path';
import { demoModelPath, Model, type Segment } from '../../lib/index.js';
import { randomIntegers } from '../lib/fake-tokenizer.js';
import { checkpointPath, fixturesDir, type GoldenTensor, readTensors, relativeError } from './fixtures.js';

const TOLERANCE = 1e-4;
const greedy = { temperature: 0, eosTokenId: null, maxNewTokens: 12 };

/** The prompt in segments of random lengths: where it is cut must not matter. */
function cut(
  ids: readonly number[],
  embeds: Float32Array,
  hidden: number,
  random: (n: number) => number,
): Segment[] {
  const segments: Segment[] = [];
  let row = 0;
  for (let at = 0; at < ids.length; ) {
    const isEmbedding = ids[at] === -1;
    const most = 1 + random(20);
    let end = at;
    while (end < ids.length && end - at < most && (ids[end] === -1) === isEmbedding) end++;
    if (isEmbedding) {
      segments.push({ embeddings: embeds.subarray(row * hidden, (row + end - at) * hidden) });
      row += end - at;
    } else {
      segments.push({ ids: ids.slice(at, end) });
    }
    at = end;
  }
  return segments;
}

describe.each(['sequential-erf', 'parallel-quarter-rotary', 'rinna-bilingual-4b'])('%s', (name) => {
  const golden = readTensors(join(fixturesDir, 'mixed', `${name}.safetensors`));
  let model: Model;
  beforeAll(async () => {
    model = await Model.load(checkpointPath(name), { precision: 'exact' });
  });
  afterAll(() => model.dispose());

  describe.each(['images', 'embeddings', 'edges'])('%s', (layout) => {
    const tensor = (key: string): GoldenTensor => {
      const found = golden[key] ?? golden[`${layout}.${key}`];
      if (!found) throw new Error(`${name}: no tensor '${key}'`);
      return found;
    };
    const numbers = (key: string): number[] => Array.from(tensor(key).data);
    const prompt = (seed: number): Segment[] =>
      cut(
        numbers('ids'),
        tensor('embeds').data as Float32Array,
        model.config.hiddenSize,
        randomIntegers(seed),
      );

    test('logits and hidden states of chosen positions are within 1e-4 of the largest', async () => {
      const positions = numbers('positions');
      const logits = await model.logits(prompt(1), { positions });
      expect(logits.shape).toEqual(tensor('logits').shape);
      expect(relativeError(logits.data, tensor('logits').data)).toBeLessThan(TOLERANCE);
      const hidden = await model.hiddenStates(prompt(2), { positions });
      expect(hidden.shape).toEqual(tensor('hidden').shape);
      expect(relativeError(hidden.data, tensor('hidden').data)).toBeLessThan(TOLERANCE);
    });

    test('how the segments are cut changes no bit', async () => {
      const [first, ...others] = await Promise.all([1, 2, 3].map((seed) => model.hiddenStates(prompt(seed))));
      for (const other of others) expect(other.data).toEqual(first?.data);
    });

    test('greedy ids are identical, processors see the new ids alone', async () => {
      const plain = await model.generate(prompt(4), greedy).result();
      expect(plain.tokenIds).toEqual(numbers('greedy_ids'));
      expect(plain.usage.promptTokens).toBe(80);
      const penalties = { repetitionPenalty: 1.8, noRepeatNgramSize: 2 };
      const penalised = await model.generate(prompt(5), { ...greedy, ...penalties }).result();
      expect(penalised.tokenIds).toEqual(numbers('penalised_ids'));
      const seen: number[][] = [];
      const logitsProcessor = (ids: readonly number[]): void => void seen.push([...ids]);
      await model.generate(prompt(6), { ...greedy, maxNewTokens: 3, logitsProcessor }).result();
      expect(seen).toEqual([0, 1, 2].map((count) => plain.tokenIds.slice(0, count)));
    });

    test('a continuation is scored behind it, within 1e-4', async () => {
      const ids = numbers('continuation_ids');
      const { tokens } = await model.score(prompt(7), ids);
      const logprobs = tokens.map((token) => token.logprob);
      expect(relativeError(logprobs, tensor('logprobs').data)).toBeLessThan(TOLERANCE);
    });

    test('a session that is given it piece by piece goes on as one that is given it whole', async () => {
      const session = model.createSession();
      const segments = prompt(8);
      for (const segment of segments.slice(0, -1)) {
        await session.generate([segment], { ...greedy, maxNewTokens: 1 }).result();
        session.truncate(session.position - 1);
      }
      const result = await session.generate(segments.slice(-1), greedy).result();
      expect(result.tokenIds).toEqual(numbers('greedy_ids'));
      expect(session.tokenIds).toEqual([...numbers('ids'), ...numbers('greedy_ids')]);
    });
  });
});

test('text, ids and embeddings together are the ids of each text by itself', async () => {
  const model = await Model.load(demoModelPath(), { precision: 'exact' });
  const texts = ['富士山は', ' high', '。'];
  const [a = [], b = [], c = []] = texts.map((text) =>
    model.tokenizer.encode(text, { addSpecialTokens: false }),
  );
  const { data } = await model.inputEmbeddings(b);
  const mixed = [{ text: '富士山は' }, { embeddings: data }, { ids: c }, { text: ' high' }];
  const ids = [...a, ...b, ...c, ...b];
  expect((await model.logits(mixed, { positions: 'all' })).data).toEqual(
    (await model.logits(ids, { positions: 'all' })).data,
  );
  await model.dispose();
});
