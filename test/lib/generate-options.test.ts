// Options of generate(): what they mean, what follows from which, and what is refused.

import { ContextFullError, demoModelPath, type GenerateOptions, Model } from '../../lib/index.js';

const greedy = { temperature: 0, eosTokenId: null, maxNewTokens: 60 };
const prompt = 'ユーザー: 富士山の高さは?<NL>システム: ';
let model: Model;

beforeAll(async () => {
  model = await Model.load(demoModelPath());
});
afterAll(() => model.dispose());

test('logprobs', async () => {
  const { tokens } = await model.generate(prompt, { ...greedy, maxNewTokens: 5, logprobs: 3 }).result();
  const ids = model.tokenizer.encode(prompt, { addSpecialTokens: false });
  const scored = await model.score(
    ids,
    tokens.map((token) => token.id),
  );
  for (const [index, token] of tokens.entries()) {
    expect(token.topLogprobs).toHaveLength(3);
    expect(token.topLogprobs?.[0]?.id).toBe(token.id);
    expect(token.logprob).toBe(token.topLogprobs?.[0]?.logprob);
    // Prompt and decoding have different arithmetic here.
    expect(token.logprob).toBeCloseTo(scored.tokens[index]?.logprob as number, 0);
  }
  const [plain] = (await model.generate(prompt, { ...greedy, maxNewTokens: 1, logprobs: true }).result())
    .tokens;
  expect(Object.keys(plain ?? {})).toEqual(['id', 'logprob']);
  const [none] = (await model.generate(prompt, { ...greedy, maxNewTokens: 1 }).result()).tokens;
  expect(Object.keys(none ?? {})).toEqual(['id']);
});

test('a seed makes sampling repeatable, and without one it is drawn and told', async () => {
  const run = async (seed?: number) => {
    const options = { ...greedy, temperature: 1.4, topK: 0, ...(seed === undefined ? {} : { seed }) };
    const { tokenIds, seed: used } = await model.generate(prompt, options).result();
    return { tokenIds, seed: used };
  };
  const first = await run();
  expect(Number.isSafeInteger(first.seed)).toBe(true);
  expect(await run(first.seed)).toEqual(first);
  expect((await run()).seed).not.toBe(first.seed);
});

test('what follows from which options: greedy or sampling', async () => {
  const plain = await model.generate(prompt, greedy).result();
  const isGreedy = async (options: GenerateOptions) =>
    String(
      (await model.generate(prompt, { eosTokenId: null, maxNewTokens: 60, seed: 5, ...options }).result())
        .tokenIds,
    ) === String(plain.tokenIds);
  expect(await isGreedy({})).toBe(true);
  expect(await isGreedy({ topK: 0, topP: 1, minP: 0 })).toBe(true);
  expect(await isGreedy({ doSample: false, temperature: 2 })).toBe(true);
  expect(await isGreedy({ temperature: 2 })).toBe(false);
  expect(await isGreedy({ topP: 0.99, temperature: 3 })).toBe(false);
  expect(await isGreedy({ topK: 1 })).toBe(true);
});

test.each<[string, object]>([
  ['an unknown name', { maxTokens: 3 }],
  ["another library's name", { max_new_tokens: 3 }],
  ['temperature 0 beside sampling', { temperature: 0, topP: 0.9 }],
  ['temperature 0 beside doSample', { temperature: 0, doSample: true }],
  ['a negative temperature', { temperature: -1 }],
  ['a topP of 0', { topP: 0 }],
  ['a topK that is no integer', { topK: 1.5 }],
  ['no new tokens', { maxNewTokens: 0 }],
  ['text as a number', { maxNewTokens: '3' }],
  ['an empty stop string', { stop: [''] }],
  ['a stop that is no text', { stop: 3 }],
  ['a seed above 2^53', { seed: 2 ** 53 }],
  ['too many logprobs', { logprobs: 21 }],
  ['a signal that is none', { signal: {} }],
  ['a draft of half a token', { promptLookupNumTokens: 0.5 }],
  ['a draft of -1', { promptLookupNumTokens: -1 }],
  ['too long a draft', { promptLookupNumTokens: 65 }],
  ['a time of 0', { maxTime: 0 }],
  ['an endless time', { maxTime: Number.POSITIVE_INFINITY }],
  ['an unknown text mode', { text: 'raw' }],
  ['bad words without ids', { badWordsIds: [[]] }],
  ['null', null as never],
])('%s is an error at once', (_, options) => {
  expect(() => model.generate(prompt, options)).toThrow(
    expect.objectContaining({ code: 'ERR_NEOX_INVALID_ARGUMENT' }),
  );
});

test('a name that is nearly right gets a hint', () => {
  expect(() => model.generate(prompt, { max_new_tokens: 3 } as never)).toThrow(
    /Did you mean `maxNewTokens`\?/,
  );
});

test('what is switched off passes, and so does more time than there is', async () => {
  const options = { ...greedy, maxNewTokens: 2, numBeams: 1, numReturnSequences: 1, maxTime: 1e300 } as const;
  expect((await model.generate(prompt, options).result()).finishReason).toBe('length');
});

test('a prompt that does not fit is ERR_NEOX_CONTEXT_FULL', async () => {
  const ids = new Int32Array(model.info.contextLength + 1);
  expect(() => model.generate(ids)).toThrow(ContextFullError);
  expect(() => model.generate([{ ids: [1] }, { ids: ids.subarray(1) }])).toThrow(ContextFullError);
  expect(() => model.generate(new Array(1e9))).toThrow(ContextFullError);
  await expect(model.logits(ids)).rejects.toBeInstanceOf(ContextFullError);
  const options = { maxNewTokens: model.info.contextLength };
  await expect(model.generate([1, 2], options).result()).rejects.toMatchObject({
    code: 'ERR_NEOX_CONTEXT_FULL',
  });
});

test.each<[string, unknown]>([
  ['nothing', undefined],
  ['an object', {}],
  ['ids that are no integers', [1.5]],
  ['negative ids', [-1]],
  ['ids behind the vocabulary', [1 << 20]],
  ['something with a length', { length: 1e9 }],
  ['a segment with a length', [{ ids: { length: 1e9 } }]],
  ['a hole among segments', [{ text: 'a' }, null]],
  ['a segment of two kinds', [{ text: 'a', ids: [1] }]],
  ['a segment of none', [{}]],
  ['an unknown kind', [{ image: 1 }]],
  ['embeddings of half a row', [{ embeddings: new Float32Array(3) }]],
  ['embeddings of doubles', [{ embeddings: new Float64Array(256) }]],
])('%s is no prompt', (_, bad) => {
  expect(() => model.generate(bad as never)).toThrow(
    expect.objectContaining({ code: 'ERR_NEOX_INVALID_ARGUMENT' }),
  );
});

test('floats for ids hint at embeddings, and a bad segment is named', () => {
  expect(() => model.generate(new Float32Array(3) as never)).toThrow(/\[\{ embeddings \}\]/);
  expect(() => model.generate(new Float64Array(3) as never)).toThrow(/\[\{ embeddings \}\]/);
  expect(() => model.generate([{ text: 'a' }, 'b'] as never)).toThrow('an object for `prompt[1]`');
});

test.each<[string, () => Promise<unknown>, string]>([
  ['embeddings', () => model.score('a', [{ embeddings: new Float32Array(256) }] as never), '`continuation'],
  ['floats', () => model.score('a', new Float32Array(256) as never), '`continuation`'],
  ['no context', () => model.score(undefined as never, 'a'), '`context`'],
  ['embeddings as ids', () => model.inputEmbeddings(new Float32Array(256) as never), '`ids`'],
  ['segments as ids', () => model.inputEmbeddings([{ ids: [1] }] as never), '`ids[0]`'],
  ['a length as ids', () => model.inputEmbeddings({ length: 1e9 } as never), '`ids`'],
])('score and inputEmbeddings take tokens alone: %s', async (_, run, name) => {
  await expect(run()).rejects.toMatchObject({
    code: 'ERR_NEOX_INVALID_ARGUMENT',
    message: expect.stringContaining(name),
  });
});
