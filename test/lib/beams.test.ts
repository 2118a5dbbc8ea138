// Beam search through the public API; what it finds is compared with transformers in test/integration.

import { type Chunk, demoModelPath, type GenerateOptions, Model } from '../../lib/index.js';

const prompt = 'ユーザー: 富士山の高さは?<NL>システム: ';
const searched = { temperature: 0, numBeams: 4, maxNewTokens: 16 };
let model: Model;

beforeAll(async () => {
  model = await Model.load(demoModelPath(), { precision: 'exact' });
});
afterAll(() => model.dispose());

const beams = (options: GenerateOptions = {}) => model.generate(prompt, { ...searched, ...options }).result();

test('sequences come whole, one a chunk, best first, with their scores', async () => {
  const generation = model.generate(prompt, { ...searched, numReturnSequences: 3 });
  const chunks: Chunk[] = [];
  for await (const chunk of generation) chunks.push(chunk);
  const result = await generation.result();
  expect(chunks.map(({ index }) => index)).toEqual([0, 1, 2]);
  expect(chunks.map(({ text }) => text)).toEqual(result.sequences.map(({ text }) => text));
  expect(chunks.map(({ tokens }) => tokens)).toEqual(result.sequences.map(({ tokens }) => tokens));
  const scores = result.sequences.map(({ score }) => score as number);
  expect(scores).toEqual([...scores].sort((a, b) => b - a));
  expect(new Set(result.sequences.map(({ tokenIds }) => String(tokenIds))).size).toBe(3);
  expect(result.text).toBe(model.tokenizer.decode(result.tokenIds, { skipSpecialTokens: true }));
  expect(result.usage).toEqual({
    promptTokens: model.tokenizer.encode(prompt, { addSpecialTokens: false }).length,
    completionTokens: result.sequences.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0),
    cachedTokens: 0,
  });
  expect(result.timings.decodeMs).toBeGreaterThan(0);
});

test('the score is the mean log-probability, and a length penalty changes the exponent', async () => {
  for (const lengthPenalty of [0, 1, 2.5]) {
    const { sequences } = await beams({ lengthPenalty, logprobs: 2, numReturnSequences: 4 });
    for (const { tokens, score } of sequences) {
      const sum = tokens.reduce((total, { logprob }) => total + (logprob as number), 0);
      expect(score).toBeCloseTo(sum / tokens.length ** lengthPenalty, 4);
      expect(tokens.every(({ topLogprobs }) => topLogprobs?.length === 2)).toBe(true);
    }
  }
});

test('without maxNewTokens there are as many as all beams have room for', async () => {
  const small = await Model.load(demoModelPath(), { contextLength: 128 }); // a pool of 8 blocks
  const endless = { temperature: 0, eosTokenId: null };
  for (const [numBeams, length] of [
    [3, 128],
    [7, 64],
  ] as const) {
    const { tokenIds } = await small.generate([5, 6, 7], { ...endless, numBeams }).result();
    expect(tokenIds).toHaveLength(length - 3);
  }
  const tooMany = small.generate([5, 6, 7], { ...endless, numBeams: 8 }).result();
  await expect(tooMany).rejects.toMatchObject({ code: 'ERR_NEOX_KV_FULL' });
  await small.dispose();
});

test('beams do not depend on what runs beside them', async () => {
  const alone = await beams({ numReturnSequences: 4 });
  const together = await Promise.all([
    beams({ numReturnSequences: 4 }),
    model.generate([9, 10], { temperature: 0, maxNewTokens: 30 }).result(),
    beams({ numReturnSequences: 4 }),
  ]);
  expect(together[0].sequences).toEqual(alone.sequences);
  expect(together[2].sequences).toEqual(alone.sequences);
});

test('beam sampling draws by the seed', async () => {
  const options = { temperature: 1.5, topK: 0, numReturnSequences: 2, maxNewTokens: 12 };
  const first = await beams({ ...options, seed: 1 });
  expect((await beams({ ...options, seed: 1 })).sequences).toEqual(first.sequences);
  expect((await beams({ ...options, seed: 2 })).sequences).not.toEqual(first.sequences);
});

test('embeddings in the prompt, and text as a continuation', async () => {
  const ids = model.tokenizer.encode(prompt, { addSpecialTokens: false });
  const { data } = await model.inputEmbeddings(ids);
  const plain = await beams();
  const embedded = await model.generate([{ embeddings: data }], searched).result();
  expect(embedded.tokenIds).toEqual(plain.tokenIds);
  const continued = await model.generate('The capital', { ...searched, text: 'continuation' }).result();
  expect(continued.text).toMatch(/^\S* /);
});

test('a session goes on after the best sequence, in chat too', async () => {
  const session = model.createSession();
  const { tokenIds, usage } = await session.generate(prompt, searched).result();
  expect(session.position).toBe(usage.promptTokens + tokenIds.length);
  expect(session.tokenIds.slice(usage.promptTokens)).toEqual(tokenIds);
  const next = await session.generate('<NL>', { temperature: 0, maxNewTokens: 4 }).result();
  expect(next.tokenIds.length).toBeGreaterThan(0);
  session.truncate(usage.promptTokens);
  expect((await session.generate([], searched).result()).tokenIds).toEqual(tokenIds);
  session.dispose();
  const talk = model.createSession();
  const eos = model.config.eosTokenId as number;
  await talk.chat([{ role: 'user', content: '富士山の高さは?' }], searched).result();
  expect(talk.tokenIds).not.toContain(eos);
  expect(() => talk.generate(prompt, { ...searched, numReturnSequences: 2 })).toThrow(
    expect.objectContaining({ code: 'ERR_NEOX_INVALID_ARGUMENT' }),
  );
});

test('a break keeps what was delivered, and the session what it had when nothing was', async () => {
  const generation = model.generate(prompt, { ...searched, numReturnSequences: 3 });
  for await (const _ of generation) break;
  const { sequences } = await generation.result();
  expect(sequences[0]?.tokenIds.length).toBeGreaterThan(0);
  expect(sequences.slice(1)).toEqual(
    Array(2).fill({ text: '', tokenIds: [], tokens: [], finishReason: 'cancelled' }),
  );
  const session = model.createSession();
  const long = session.generate(prompt, { ...searched, maxNewTokens: 300, eosTokenId: null });
  const iterator = long[Symbol.asyncIterator]();
  void iterator.next();
  await iterator.return?.();
  expect((await long.result()).finishReason).toBe('cancelled');
  expect(session.position).toBe(0);
});

test('an abort rejects, and so does a model that is disposed of', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const options = { ...searched, maxNewTokens: 400, eosTokenId: null };
  const aborted = model.generate(prompt, { ...options, signal }).result();
  setTimeout(() => controller.abort(new Error('enough')), 20);
  await expect(aborted).rejects.toThrow('enough');
  const own = await Model.load(demoModelPath());
  const generation = own.generate(prompt, options);
  const result = generation.result();
  const rejected = expect(result).rejects.toMatchObject({ code: 'ERR_NEOX_DISPOSED' });
  await own.dispose();
  await rejected;
});

test('a time limit ends the search with what it has', async () => {
  const options = { maxNewTokens: 450, eosTokenId: null, maxTime: 0.1, numReturnSequences: 2 };
  const result = await beams(options);
  for (const { finishReason, tokenIds } of result.sequences) {
    expect(finishReason).toBe('time');
    expect(tokenIds.length).toBeLessThan(450);
  }
  const none = await beams({ maxTime: 1e-6, numReturnSequences: 2 });
  expect(none.sequences).toHaveLength(2);
  expect(none.finishReason).toBe('time');
});

test.each<[GenerateOptions, string, string[]]>([
  [{ numBeams: 0 }, 'ERR_NEOX_INVALID_ARGUMENT', ['`numBeams`', '0']],
  [{ numBeams: 1.5 }, 'ERR_NEOX_INVALID_ARGUMENT', ['`numBeams`', '1.5']],
  [{ numBeams: 257 }, 'ERR_NEOX_INVALID_ARGUMENT', ['`numBeams`', '257']],
  [
    { numBeams: 2, numReturnSequences: 3 },
    'ERR_NEOX_INVALID_ARGUMENT',
    ['numReturnSequences: 3', 'numBeams: 2'],
  ],
  [{ lengthPenalty: Number.NaN }, 'ERR_NEOX_INVALID_ARGUMENT', ['`lengthPenalty`', 'NaN']],
  [{ earlyStopping: 'always' as never }, 'ERR_NEOX_INVALID_ARGUMENT', ['`earlyStopping`', 'always']],
  [{ stop: '。' }, 'ERR_NEOX_INVALID_ARGUMENT', ['`stop`', 'numBeams: 4']],
  [{ logitsProcessor: () => undefined }, 'ERR_NEOX_INVALID_ARGUMENT', ['`logitsProcessor`', 'numBeams: 4']],
])('%p is refused', (options, code, words) => {
  const message = expect.stringMatching(words.map((word) => word.replace('.', '\\.')).join('.*'));
  expect(() => model.generate(prompt, { ...searched, ...options })).toThrow(
    expect.objectContaining({ code, message }),
  );
});

test('options of beams mean nothing without them, as in transformers', async () => {
  const plain = await model.generate(prompt, { temperature: 0, maxNewTokens: 8 }).result();
  const options = { temperature: 0, maxNewTokens: 8, numBeams: 1, lengthPenalty: 3, earlyStopping: true };
  expect((await model.generate(prompt, options).result()).sequences).toEqual(plain.sequences);
});

test('a penalty beyond what float32 holds, and more beams than the pool, are errors of the first read', async () => {
  await expect(beams({ lengthPenalty: 1000 })).rejects.toMatchObject({
    code: 'ERR_NEOX_INVALID_ARGUMENT',
    message: expect.stringContaining('lengthPenalty'),
  });
  const most = model.info.contextLength - 100;
  await expect(beams({ numBeams: 256, maxNewTokens: most })).rejects.toMatchObject({
    code: 'ERR_NEOX_KV_FULL',
  });
});
