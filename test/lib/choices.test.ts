// Several outputs of one prompt: what they share, that each is what it would be alone, and how they end.

import { type Chunk, demoModelPath, type GenerateOptions, Model } from '../../lib/index.js';

const sampled = { temperature: 1.3, topK: 0, seed: 11, eosTokenId: null, maxNewTokens: 24 };
const prompt = 'ユーザー: 富士山の高さは?<NL>システム: ';
let model: Model;

beforeAll(async () => {
  model = await Model.load(demoModelPath());
});
afterAll(() => model.dispose());

async function choices(numReturnSequences: number, options: GenerateOptions = {}, of = prompt) {
  return model.generate(of, { ...sampled, ...options, numReturnSequences }).result();
}

test('the first is what the seed gives alone, and the others differ', async () => {
  // 70 tokens: the forks copy a block that is partly filled.
  for (const ids of [[9], Array.from({ length: 64 }, (_, i) => i + 9), Array(70).fill(9)]) {
    const alone = await model.generate(ids, sampled).result();
    const result = await model.generate(ids, { ...sampled, numReturnSequences: 3 }).result();
    expect(result.sequences).toHaveLength(3);
    expect(result.sequences[0]).toEqual(alone.sequences[0]);
    expect(result.tokenIds).toEqual(alone.tokenIds);
    expect(new Set(result.sequences.map(({ tokenIds }) => String(tokenIds))).size).toBe(3);
    expect(result.usage).toEqual({ promptTokens: ids.length, completionTokens: 72, cachedTokens: 0 });
    expect(result.timings.prefillMs).toBeGreaterThan(0);
  }
});

test('the same choices come whatever their number, with other calls beside them too', async () => {
  const many = await choices(12); // more than run at once
  const other = model.generate([5, 6, 7], { ...sampled, maxNewTokens: 60 }).result();
  const few = await choices(2);
  expect(few.sequences).toEqual(many.sequences.slice(0, 2));
  expect((await other).tokenIds).toHaveLength(60);
});

test('chunks say whose they are, come in turns, and join to the results', async () => {
  // A processor holds the engine to one token at a time, however busy this thread is.
  const logitsProcessor = (): void => undefined;
  const options = { ...sampled, numReturnSequences: 3, logprobs: 1, logitsProcessor };
  const generation = model.generate(prompt, options);
  const chunks: Chunk[] = [];
  for await (const chunk of generation) chunks.push(chunk);
  const { sequences } = await generation.result();
  for (const [index, sequence] of sequences.entries()) {
    const own = chunks.filter((chunk) => chunk.index === index);
    expect(own.map(({ text }) => text).join('')).toBe(sequence.text);
    expect(own.flatMap(({ tokens }) => tokens)).toEqual(sequence.tokens);
    expect(sequence.tokens[0]?.topLogprobs).toHaveLength(1);
    expect(sequence.text).toBe(model.tokenizer.decode(sequence.tokenIds, { skipSpecialTokens: true }));
  }
  const order = chunks.map(({ index }) => index);
  expect(order.indexOf(2)).toBeLessThan(order.lastIndexOf(0));
});

test('one that meets a stop string or an eos does not end the others', async () => {
  const free = await choices(3);
  const stop = free.sequences[1]?.text.slice(2, 6) as string;
  const stopped = await choices(3, { stop });
  expect(stopped.sequences.map(({ finishReason }) => finishReason)).toEqual(['length', 'stop', 'length']);
  expect(stopped.sequences[0]).toEqual(free.sequences[0]);
  expect(stopped.sequences[2]).toEqual(free.sequences[2]);
  const ids = free.sequences[1]?.tokenIds as number[];
  const others = new Set([free.sequences[0], free.sequences[2]].flatMap((each) => each?.tokenIds));
  const at = ids.findIndex((id) => !others.has(id));
  const ended = await choices(3, { eosTokenId: ids[at] as number });
  expect(ended.sequences.map(({ finishReason }) => finishReason)).toEqual(['length', 'eos', 'length']);
  expect(ended.sequences[1]?.tokenIds).toEqual(ids.slice(0, at + 1));
});

test('a processor sees the ids of its own choice, and one that throws ends all', async () => {
  const seen = new Map<string, number>();
  const logitsProcessor = (ids: readonly number[]): void => {
    seen.set(String(ids), (seen.get(String(ids)) ?? 0) + 1);
  };
  const result = await choices(2, { logitsProcessor, maxNewTokens: 6 });
  expect(result.sequences).toEqual((await choices(2, { maxNewTokens: 6 })).sequences);
  const promptIds = model.tokenizer.encode(prompt, { addSpecialTokens: false });
  for (const { tokenIds } of result.sequences) {
    for (let n = 1; n < 6; n++) expect(seen.has(String([...promptIds, ...tokenIds.slice(0, n)]))).toBe(true);
  }
  expect(seen.get(String(promptIds))).toBe(2);
  let calls = 0;
  const failing = (): void => {
    if (++calls === 5) throw new Error('mine');
  };
  await expect(choices(3, { logitsProcessor: failing })).rejects.toThrow('mine');
});

test.each([1, 5, 30])('a break after chunk %i leaves what was delivered', async (count) => {
  const generation = model.generate(prompt, { ...sampled, maxNewTokens: 300, numReturnSequences: 3 });
  const texts = ['', '', ''];
  let n = 0;
  for await (const { index, text } of generation) {
    texts[index] += text;
    if (++n === count) break;
  }
  const { sequences } = await generation.result();
  expect(sequences.map(({ text }) => text)).toEqual(texts);
  expect(sequences.map(({ finishReason }) => finishReason)).toEqual(Array(3).fill('cancelled'));
});

test('an abort rejects, while the prompt is fed too', async () => {
  for (const after of [0, 1, 4]) {
    const controller = new AbortController();
    const { signal } = controller;
    const long = Array.from({ length: 700 }, (_, i) => (i % 500) + 9);
    const generation = model.generate(long, { ...sampled, maxNewTokens: 200, numReturnSequences: 3, signal });
    const iterator = generation[Symbol.asyncIterator]();
    for (let i = 0; i < after; i++) await iterator.next();
    const next = iterator.next();
    setImmediate(() => controller.abort(new Error('enough')));
    if (after === 0) await expect(next).rejects.toThrow('enough');
    else await next.catch(() => undefined);
    await expect(generation.result()).rejects.toThrow('enough');
  }
});

test('a time limit ends all of them', async () => {
  const logitsProcessor = (): void => {
    const until = performance.now() + 20;
    while (performance.now() < until);
  };
  const result = await choices(2, { maxTime: 0.15, logitsProcessor, maxNewTokens: 300 });
  expect(result.sequences.map(({ finishReason }) => finishReason)).toEqual(['time', 'time']);
  const none = await choices(2, { maxTime: 1e-6 });
  expect(none.sequences.map(({ tokenIds, finishReason }) => [tokenIds.length, finishReason])).toEqual([
    [0, 'time'],
    [0, 'time'],
  ]);
});

test('what cannot fit fails before anything is computed', async () => {
  const options = { ...sampled, maxNewTokens: model.info.contextLength, numReturnSequences: 2 };
  await expect(model.generate([1, 2], options).result()).rejects.toMatchObject({
    code: 'ERR_NEOX_CONTEXT_FULL',
    message: expect.stringContaining(String(model.info.contextLength)),
  });
  await expect(model.generate([], { ...sampled, numReturnSequences: 2 }).result()).rejects.toMatchObject({
    code: 'ERR_NEOX_INVALID_ARGUMENT',
  });
});

test('a generation of several that nobody reads has as many empty sequences', async () => {
  const generation = model.generate(prompt, { ...sampled, numReturnSequences: 3 });
  await generation[Symbol.asyncIterator]().return?.();
  const { sequences, tokenIds } = await generation.result();
  expect(sequences.map(({ finishReason }) => finishReason)).toEqual(Array(3).fill('cancelled'));
  expect(tokenIds).toEqual([]);
});

test('a model that is disposed of meanwhile', async () => {
  const own = await Model.load(demoModelPath());
  const generation = own.generate(prompt, { ...sampled, maxNewTokens: 500, numReturnSequences: 3 });
  const iterator = generation[Symbol.asyncIterator]();
  await iterator.next();
  await own.dispose();
  await expect(generation.result()).rejects.toMatchObject({ code: 'ERR_NEOX_DISPOSED' });
});

test.each([0, 1.5, -1, '2', 257])('numReturnSequences: %p is an error', (numReturnSequences) => {
  expect(() => model.generate(prompt, { ...sampled, numReturnSequences } as never)).toThrow(
    expect.objectContaining({
      code: 'ERR_NEOX_INVALID_ARGUMENT',
      message: expect.stringContaining('`numReturnSequences`'),
    }),
  );
});

test('several need sampling, and are not for sessions', () => {
  const bad = expect.objectContaining({
    code: 'ERR_NEOX_INVALID_ARGUMENT',
    message: expect.stringMatching(/`numReturnSequences(: 2)?`/),
  });
  expect(() => model.generate(prompt, { numReturnSequences: 2 })).toThrow(bad);
  expect(() => model.generate(prompt, { numReturnSequences: 2, temperature: 0 })).toThrow(bad);
  const session = model.createSession();
  expect(() => session.generate(prompt, { ...sampled, numReturnSequences: 2 })).toThrow(bad);
});
