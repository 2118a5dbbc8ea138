// Text, stop strings, chunks and endings of a generation, on the demo model. What it says does not matter here.

import { type Chunk, demoModelPath, type GenerateOptions, Model, NeoxError } from '../../lib/index.js';

const greedy = { temperature: 0, eosTokenId: null, maxNewTokens: 60 };
const prompt = 'ユーザー: 富士山の高さは?<NL>システム: ';
let model: Model;

beforeAll(async () => {
  model = await Model.load(demoModelPath());
});
afterAll(() => model.dispose());

async function read(options: GenerateOptions, of = prompt): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const chunk of model.generate(of, options)) chunks.push(chunk);
  return chunks;
}

const textOf = (chunks: Chunk[]): string => chunks.map((chunk) => chunk.text).join('');
const idsOf = (chunks: Chunk[]): number[] => chunks.flatMap((chunk) => chunk.tokens.map((token) => token.id));

describe('text', () => {
  test('chunks join to the result, and the result is decode() of the new ids', async () => {
    const chunks = await read(greedy);
    const result = await model.generate(prompt, greedy).result();
    expect(textOf(chunks)).toBe(result.text);
    expect(idsOf(chunks)).toEqual(result.tokenIds);
    expect(result.text).toBe(model.tokenizer.decode(result.tokenIds, { skipSpecialTokens: true }));
    expect(result.tokenIds).toHaveLength(60);
    expect(result.usage).toEqual({
      promptTokens: model.tokenizer.encode(prompt, { addSpecialTokens: false }).length,
      completionTokens: 60,
      cachedTokens: 0,
    });
  });

  test('no chunk ends inside a character', async () => {
    const forced = model.tokenizer.encode('猫🍣🗻', { addSpecialTokens: false });
    const begin = forced.length - 8; // the emoji are spelt in bytes, four tokens for one character
    expect(model.tokenizer.idToToken(forced[begin] ?? 0)).toBe('<0xF0>');
    let step = 0;
    const logitsProcessor = (_: readonly number[], scores: Float32Array): void => {
      scores.fill(0)[forced[step++] ?? 0] = 1;
    };
    const chunks = await read({ ...greedy, maxNewTokens: forced.length, logitsProcessor });
    expect(idsOf(chunks)).toEqual(forced);
    expect(textOf(chunks)).toBe('猫🍣🗻');
    expect(chunks.filter(({ text }) => /[^猫]/.test(text)).map(({ text }) => text)).toEqual(['🍣', '🗻']);
  });

  test("'continuation' is what decode(prompt + new) has after decode(prompt)", async () => {
    const { tokenizer } = model;
    const given = 'The capital of Japan is';
    const ids = tokenizer.encode(given, { addSpecialTokens: false });
    const result = await model.generate(given, { ...greedy, text: 'continuation' }).result();
    const whole = tokenizer.decode([...ids, ...result.tokenIds], { skipSpecialTokens: true });
    expect(result.text).toBe(whole.slice(tokenizer.decode(ids, { skipSpecialTokens: true }).length));
  });

  test('special tokens appear when they are not skipped', async () => {
    const options = { ...greedy, maxNewTokens: 8, skipSpecialTokens: false };
    const eos = model.config.eosTokenId as number;
    const forced = await model.generate(prompt, { ...options, forcedEosTokenId: eos }).result();
    expect(forced.tokenIds.at(-1)).toBe(eos);
    expect(forced.text.endsWith(model.tokenizer.idToToken(eos))).toBe(true);
  });

  test('the eos is delivered as an id, without text', async () => {
    const eosTokenId = model.config.eosTokenId as number;
    const result = await model
      .generate(prompt, { ...greedy, eosTokenId, forcedEosTokenId: eosTokenId })
      .result();
    expect(result.finishReason).toBe('eos');
    expect(result.tokenIds.at(-1)).toBe(eosTokenId);
    expect(result.tokens).toHaveLength(result.tokenIds.length);
    expect(result.text).not.toContain('</s>');
  });
});

describe('logitsProcessor', () => {
  test.each([
    ['resolves', async () => undefined],
    ['rejects', () => Promise.reject(new Error('late'))],
  ])('one that returns a promise which %s is an error', async (_, logitsProcessor) => {
    const unhandled = jest.fn();
    process.on('unhandledRejection', unhandled);
    const generation = model.generate(prompt, { ...greedy, logitsProcessor });
    await expect(generation.result()).rejects.toMatchObject({
      code: 'ERR_NEOX_INVALID_ARGUMENT',
      message: expect.stringContaining('synchronous'),
    });
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    expect((await model.generate(prompt, greedy).result()).tokenIds).toHaveLength(60);
  });

  test('one that outlasts maxTime ends the call by time', async () => {
    const logitsProcessor = (): void => {
      const end = performance.now() + 30;
      while (performance.now() < end);
    };
    const result = await model.generate(prompt, { ...greedy, logitsProcessor, maxTime: 0.1 }).result();
    expect(result.finishReason).toBe('time');
    expect(result.tokenIds.length).toBeLessThan(60);
  });

  test('one that aborts the call rejects with the reason', async () => {
    const controller = new AbortController();
    const logitsProcessor = (): void => controller.abort(new Error('mine'));
    const generation = model.generate(prompt, { ...greedy, logitsProcessor, signal: controller.signal });
    await expect(generation.result()).rejects.toThrow('mine');
  });
});

describe('stop', () => {
  test('the text ends before the first stop string, and the session at the last token delivered', async () => {
    const full = await model.generate(prompt, greedy).result();
    for (const begin of [1, 2, 5, Math.floor(full.text.length / 2)]) {
      const stop = full.text.slice(begin, begin + 3);
      const session = model.createSession();
      const chunks: Chunk[] = [];
      const generation = session.generate(prompt, { ...greedy, stop: ['never to be found', stop] });
      for await (const chunk of generation) chunks.push(chunk);
      const result = await generation.result();
      expect(result.text).toBe(full.text.slice(0, full.text.indexOf(stop)));
      expect(result.finishReason).toBe('stop');
      expect(textOf(chunks)).toBe(result.text);
      expect(idsOf(chunks)).toEqual(result.tokenIds);
      expect(result.tokenIds).toEqual(full.tokenIds.slice(0, result.tokenIds.length));
      expect(session.position).toBe(result.usage.promptTokens + result.tokenIds.length);
      session.dispose();
    }
  });

  test('a stop string that never comes changes nothing', async () => {
    const full = await model.generate(prompt, greedy).result();
    const result = await model.generate(prompt, { ...greedy, stop: `${full.text}!` }).result();
    expect([result.text, result.tokenIds, result.finishReason]).toEqual([full.text, full.tokenIds, 'length']);
  });
});

describe('reading', () => {
  test('a second iteration is an error, and result() gives the whole after an iteration', async () => {
    const generation = model.generate(prompt, greedy);
    const chunks: Chunk[] = [];
    for await (const chunk of generation) chunks.push(chunk);
    expect(() => generation[Symbol.asyncIterator]()).toThrow(NeoxError);
    expect((await generation.result()).text).toBe(textOf(chunks));
    expect((await generation.result()).tokenIds).toEqual(idsOf(chunks));
  });

  test('result() takes over from an iteration that stopped without leaving', async () => {
    const generation = model.generate(prompt, greedy);
    const iterator = generation[Symbol.asyncIterator]();
    await iterator.next();
    expect((await generation.result()).tokenIds).toHaveLength(60);
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  test('after break, result() has what was delivered', async () => {
    const generation = model.generate(prompt, { ...greedy, maxNewTokens: 500 });
    let text = '';
    for await (const chunk of generation) {
      text += chunk.text;
      break;
    }
    const result = await generation.result();
    expect([result.text, result.finishReason]).toEqual([text, 'cancelled']);
    expect(result.usage.completionTokens).toBe(result.tokenIds.length);
  });

  test('what the loop throws comes through', async () => {
    const boom = new Error('boom');
    const loop = async (): Promise<void> => {
      for await (const _ of model.generate(prompt, greedy)) throw boom;
    };
    await expect(loop()).rejects.toBe(boom);
  });

  test('return() before the first next() does no work', async () => {
    const generation = model.generate(prompt, greedy);
    await generation[Symbol.asyncIterator]().return?.();
    const { tokenIds, finishReason, usage } = await generation.result();
    expect([tokenIds, finishReason, usage.promptTokens]).toEqual([[], 'cancelled', 0]);
  });

  test('several next() at once give chunks in order', async () => {
    const iterator = model.generate(prompt, greedy)[Symbol.asyncIterator]();
    const chunks: Chunk[] = [];
    for (;;) {
      const steps = await Promise.all([iterator.next(), iterator.next(), iterator.next()]);
      for (const step of steps) if (!step.done) chunks.push(step.value);
      if (steps.some((step) => step.done)) break;
    }
    expect(idsOf(chunks)).toEqual((await model.generate(prompt, greedy).result()).tokenIds);
  });

  test('a readable stream gives the chunks, and cancelling it stops the work', async () => {
    const chunks: Chunk[] = [];
    for await (const chunk of model.generate(prompt, greedy).toReadableStream()) chunks.push(chunk);
    expect(idsOf(chunks)).toHaveLength(60);
    const generation = model.generate(prompt, { ...greedy, maxNewTokens: 500 });
    const reader = generation.toReadableStream().getReader();
    await reader.read();
    await reader.cancel();
    expect((await generation.result()).finishReason).toBe('cancelled');
  });

  test('an abort rejects next() and result() with the reason, and the listener goes away', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const removed = jest.spyOn(signal, 'removeEventListener');
    const generation = model.generate(prompt, { ...greedy, maxNewTokens: 500, signal });
    const iterator = generation[Symbol.asyncIterator]();
    await iterator.next();
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(iterator.next()).rejects.toBe(reason);
    await expect(generation.result()).rejects.toBe(reason);
    expect(removed).toHaveBeenCalledWith('abort', expect.any(Function));
    await expect(model.generate(prompt, { signal }).result()).rejects.toBe(reason);
  });
});
