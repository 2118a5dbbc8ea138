// What transformers 4.57.6 computes, through the public API in precision exact, on every committed checkpoint.

import { Model } from '../../lib/index.js';
import {
  checkpointNames,
  checkpointPath,
  type GoldenTensor,
  longPromptIds,
  readGolden,
  relativeError,
} from './fixtures.js';

const TOLERANCE = 1e-4;
const greedy = { eosTokenId: null, temperature: 0 };

test('there are at least four checkpoints', () => {
  expect(checkpointNames.length).toBeGreaterThanOrEqual(4);
});

describe.each(checkpointNames)('%s', (name) => {
  const golden = readGolden(name);
  const values = (key: string): GoldenTensor['data'] => {
    const tensor = golden[key];
    if (!tensor) throw new Error(`${name}: no tensor '${key}'`);
    return tensor.data;
  };
  const idsOf = (key: string): Int32Array => values(key) as Int32Array;
  let model: Model;

  beforeAll(async () => {
    // The golden prompts are longer than the context that the checkpoint of dynamic scaling was trained on.
    const { config } = await Model.inspect(checkpointPath(name));
    const contextLength = Math.max(config.maxPositionEmbeddings, 256);
    model = await Model.load(checkpointPath(name), { precision: 'exact', contextLength });
  });

  afterAll(async () => {
    await model.dispose();
  });

  test('logits are within 1e-4 of the largest', async () => {
    const positions = Array.from(values('logit_positions'));
    const { data, shape } = await model.logits(idsOf('prompt_ids'), { positions });
    expect(shape).toEqual(golden.logits?.shape);
    expect(relativeError(data, values('logits'))).toBeLessThan(TOLERANCE);
  });

  test("'all' positions give what single ones give", async () => {
    const ids = Array.from(idsOf('prompt_ids')).slice(0, 20);
    const all = await model.logits(ids, { positions: 'all' });
    const last = await model.logits(ids);
    const size = model.config.vocabSize;
    expect(all.shape).toEqual([20, size]);
    expect(Array.from(all.data.subarray(19 * size))).toEqual(Array.from(last.data));
  });

  if (golden.beam_ids) {
    test('four beams are those of the reference, best first', async () => {
      const options = { ...greedy, maxNewTokens: 12, numBeams: 4, numReturnSequences: 4 };
      const { sequences } = await model.generate(idsOf('greedy_prompt_ids'), options).result();
      expect(sequences.flatMap(({ tokenIds }) => tokenIds)).toEqual(Array.from(values('beam_ids')));
      const scores = Float32Array.from(sequences, ({ score = Number.NaN }) => score);
      expect(relativeError(scores, values('beam_scores'))).toBeLessThan(TOLERANCE);
    });
  }

  test('the last hidden state is within 1e-4 of the largest', async () => {
    const hidden = await model.embed(idsOf('prompt_ids'), { pooling: 'last', normalize: false });
    expect(relativeError(hidden, values('hidden_last'))).toBeLessThan(TOLERANCE);
  });

  test('greedy ids are identical', async () => {
    const expected = Array.from(values('greedy_ids'));
    const maxNewTokens = expected.length;
    const result = await model.generate(idsOf('greedy_prompt_ids'), { ...greedy, maxNewTokens }).result();
    expect(result.tokenIds).toEqual(expected);
    expect(result.finishReason).toBe('length');
  });

  test('log-probabilities of a continuation are within 1e-4', async () => {
    const { sum, tokens } = await model.score(idsOf('score_context_ids'), idsOf('score_continuation_ids'));
    const expected = values('score_logprobs');
    expect(tokens.map((token) => token.id)).toEqual(Array.from(values('score_continuation_ids')));
    const logprobs = tokens.map((token) => token.logprob);
    expect(relativeError(logprobs, expected)).toBeLessThan(TOLERANCE);
    expect(sum).toBeCloseTo(
      Array.from(expected).reduce((total, value) => total + value, 0),
      3,
    );
  });

  if (golden.long_greedy_ids) {
    test('a prompt beyond the trained context continues with the same greedy ids', async () => {
      const expected = Array.from(values('long_greedy_ids'));
      const options = { ...greedy, maxNewTokens: expected.length };
      const result = await model.generate(idsOf('prompt_ids'), options).result();
      expect(result.tokenIds).toEqual(expected);
    });
  }

  if (golden.long_logits) {
    test('logits beyond position 2,048 are within 1e-4 of the largest', async () => {
      const positions = Array.from(values('long_logit_positions'));
      const ids = longPromptIds(Math.max(...positions) + 1, model.config.vocabSize);
      const long = await Model.load(checkpointPath(name), { precision: 'exact', contextLength: 8192 });
      const { data } = await long.logits(ids, { positions });
      await long.dispose();
      expect(relativeError(data, values('long_logits'))).toBeLessThan(TOLERANCE);
    });
  }

  if (!golden.embeds) return;

  test('a prompt with an embedding block equals inputs_embeds', async () => {
    const prompt = [
      { ids: idsOf('embeds_ids_before') },
      { embeddings: values('embeds') as Float32Array },
      { ids: idsOf('embeds_ids_after') },
    ];
    const { data } = await model.logits(prompt);
    expect(relativeError(data, values('embeds_logits'))).toBeLessThan(TOLERANCE);
    const expected = Array.from(values('embeds_greedy_ids'));
    const result = await model.generate(prompt, { ...greedy, maxNewTokens: expected.length }).result();
    expect(result.tokenIds).toEqual(expected);
  });

  test('input embeddings given back as a prompt are the tokens themselves', async () => {
    const ids = idsOf('embeds_ids_before');
    const { data, shape } = await model.inputEmbeddings(ids);
    expect(shape).toEqual([ids.length, model.config.hiddenSize]);
    const byRows = await model.logits([{ embeddings: data }]);
    const byIds = await model.logits(ids);
    expect(Array.from(byRows.data)).toEqual(Array.from(byIds.data));
  });
});
