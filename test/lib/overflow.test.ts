// Sessions whose prompt changes, and calls that the context has no room for.

import { demoModelPath, Model, type OverflowOptions, type SessionGenerateOptions } from '../../lib/index.js';

const greedy = { temperature: 0, eosTokenId: null };
const prompt = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, index) => (index * seed * 31 + seed) % 2000);
let model: Model;
let small: Model;

beforeAll(async () => {
  model = await Model.load(demoModelPath(), { precision: 'exact' });
  small = await Model.load(demoModelPath(), { precision: 'exact', contextLength: 128 });
});
afterAll(async () => {
  await model.dispose();
  await small.dispose();
});

describe('replace', () => {
  test('keeps what both begin with, and gives what the new prompt gives', async () => {
    const session = model.createSession();
    await session.generate(prompt(100, 1), { ...greedy, maxNewTokens: 20 }).result();
    const edited = [...prompt(100, 1).slice(0, 70), ...prompt(30, 2)];
    const options = { ...greedy, maxNewTokens: 20 };
    const expected = await model.generate(edited, options).result();
    const got = await session.generate(edited, { ...options, replace: true }).result();
    expect(got.tokenIds).toEqual(expected.tokenIds);
    expect(got.usage).toEqual({ promptTokens: 100, completionTokens: 20, cachedTokens: 70 });
    expect(expected.usage.cachedTokens).toBe(0);
    expect(got.timings.promptTokensPerSecond).toBeCloseTo((1000 * 30) / got.timings.prefillMs, 6);
    expect(session.tokenIds).toEqual([...edited, ...got.tokenIds]);
  });

  test('a whole conversation, sent again and edited, is computed from the edit on', async () => {
    const session = model.createSession();
    const ask = { ...greedy, maxNewTokens: 12 };
    const messages = [{ role: 'user' as const, content: 'こんにちは' }];
    const first = await session.chat(messages, { ...ask, replace: true }).result();
    const turns = [
      ...messages,
      { role: 'assistant' as const, content: first.text },
      { role: 'user' as const, content: '富士山の高さは?' },
    ];
    const second = await session.chat(turns, { ...ask, replace: true }).result();
    expect(second.text).toBe((await model.chat(turns, ask).result()).text);
    expect(second.usage.cachedTokens).toBeGreaterThanOrEqual(first.usage.promptTokens);
    const edited = turns.with(2, { role: 'user', content: '富士山はどこ?' });
    const third = await session.chat(edited, { ...ask, replace: true }).result();
    expect(third.text).toBe((await model.chat(edited, ask).result()).text);
    expect(third.usage.cachedTokens).toBeGreaterThan(first.usage.promptTokens);
    expect(third.usage.cachedTokens).toBeLessThan(third.usage.promptTokens);
  });

  test('a call that is not read on leaves the session usable', async () => {
    const session = model.createSession();
    await session.generate(prompt(100, 1), { ...greedy, maxNewTokens: 5 }).result();
    for await (const _ of session.generate(prompt(50, 3), { ...greedy, replace: true })) break;
    const options = { ...greedy, maxNewTokens: 5, replace: true };
    const got = await session.generate(prompt(100, 1), options).result();
    expect(got.tokenIds).toEqual(
      (await model.generate(prompt(100, 1), { ...greedy, maxNewTokens: 5 }).result()).tokenIds,
    );
  });
});

describe('truncateLeft', () => {
  test('gives what the shorter prompt gives', async () => {
    const ids = prompt(300, 1);
    for (const overflowKeep of [0, 8]) {
      const options = { ...greedy, maxNewTokens: 28, repetitionPenalty: 1.3 };
      const shorter = [...ids.slice(0, overflowKeep), ...ids.slice(overflowKeep - 100)];
      const expected = await model.generate(shorter, options).result();
      const got = await small
        .generate(ids, { ...options, contextOverflow: 'truncateLeft', overflowKeep })
        .result();
      expect(got.tokenIds).toEqual(expected.tokenIds);
      expect(got.usage.promptTokens).toBe(300);
    }
  });

  test('a session goes on, and without maxNewTokens a quarter of the context is for the answer', async () => {
    const session = small.createSession({ contextOverflow: 'truncateLeft', overflowKeep: 4 });
    for (const seed of [1, 2, 3]) {
      const result = await session.generate(prompt(100, seed), greedy).result();
      expect(result.tokenIds).toHaveLength(seed === 1 ? 32 : 32);
      expect(session.position).toBe(128);
      expect(session.tokenIds.slice(0, 4)).toEqual(prompt(4, 1));
    }
    expect(session.droppedTokens).toBe(100 + 32 - 128 + 2 * 132);
  });
});

describe('shift', () => {
  test('generates beyond the context, every id once', async () => {
    const session = small.createSession({ contextOverflow: 'shift' });
    const ids: number[] = [];
    const options = { temperature: 0.8, seed: 3, eosTokenId: null, maxNewTokens: 500 };
    const generation = session.generate(prompt(20, 1), options);
    for await (const { tokens } of generation) ids.push(...tokens.map(({ id }) => id));
    const result = await generation.result();
    expect(result.finishReason).toBe('length');
    expect(ids).toHaveLength(500);
    expect(result.tokenIds).toEqual(ids);
    expect(session.position).toBeLessThanOrEqual(129);
    expect(session.position + session.droppedTokens).toBe(520);
    expect(session.tokenIds).toEqual(ids.slice(-session.position));
  });

  test('a context of one block goes on, too', async () => {
    const tiny = await Model.load(demoModelPath(), { precision: 'exact', contextLength: 64 });
    const session = tiny.createSession({ contextOverflow: 'shift' });
    const { tokenIds } = await session.generate(prompt(20, 1), { ...greedy, maxNewTokens: 200 }).result();
    expect(tokenIds).toHaveLength(200);
    expect(session.position + session.droppedTokens).toBe(220);
    await tiny.dispose();
  });

  test('up to the first shift nothing differs, and the same seed gives the same again', async () => {
    const options = { temperature: 0.8, seed: 3, eosTokenId: null, contextOverflow: 'shift' as const };
    const plain = await model
      .generate(prompt(20, 1), { temperature: 0.8, seed: 3, eosTokenId: null, maxNewTokens: 108 })
      .result();
    const [a, b] = await Promise.all(
      [1, 2].map(() => small.generate(prompt(20, 1), { ...options, maxNewTokens: 300 }).result()),
    );
    expect(a?.tokenIds.slice(0, 108)).toEqual(plain.tokenIds);
    expect(b?.tokenIds).toEqual(a?.tokenIds);
  });

  test('processors see all ids of the call', async () => {
    let longest = 0;
    await small
      .generate(prompt(20, 1), {
        ...greedy,
        maxNewTokens: 200,
        contextOverflow: 'shift',
        logitsProcessor: (ids) => {
          longest = Math.max(longest, ids.length);
        },
      })
      .result();
    expect(longest).toBe(219);
  });

  test('a conversation keeps its beginning', async () => {
    const session = small.createSession({ contextOverflow: 'shift', overflowKeep: 10 });
    const say = (content: string) => [{ role: 'user' as const, content }];
    for (let turn = 0; turn < 12; turn++) {
      await session.chat(say('富士山の高さは?'), { temperature: 0, maxNewTokens: 24 }).result();
    }
    expect(session.droppedTokens).toBeGreaterThan(0);
    expect(session.tokenIds.slice(0, 5)).toEqual(
      small.tokenizer
        .encode(`${small.chatFormat?.user}富士山の高さは?`, { addSpecialTokens: false })
        .slice(0, 5),
    );
  });
});

describe('options', () => {
  const code = (run: () => unknown): unknown => {
    try {
      run();
      return 'no error';
    } catch (error) {
      return (error as { code?: unknown }).code;
    }
  };

  test.each<unknown>([
    { contextOverflow: 'left' },
    { contextOverflow: 1 },
    { overflowKeep: 3 },
    { contextOverflow: 'error', overflowKeep: 3 },
    { contextOverflow: 'shift', overflowKeep: -1 },
    { contextOverflow: 'shift', overflowKeep: 1.5 },
    { contextOverflow: 'shift', overflowKeep: '1' },
  ])('%p is an error at once, wherever it is given', (options) => {
    const given = options as OverflowOptions;
    expect(code(() => model.createSession(given))).toBe('ERR_NEOX_INVALID_ARGUMENT');
    expect(code(() => model.generate([1], given))).toBe('ERR_NEOX_INVALID_ARGUMENT');
    expect(code(() => model.createSession().generate([1], given))).toBe('ERR_NEOX_INVALID_ARGUMENT');
  });

  test('unknown options of a session, replace of the wrong type or outside a session are errors', () => {
    expect(code(() => model.createSession({ seed: 1 } as never))).toBe('ERR_NEOX_INVALID_ARGUMENT');
    const wrong = { replace: 1 } as unknown as SessionGenerateOptions;
    expect(code(() => model.createSession().generate([1], wrong))).toBe('ERR_NEOX_INVALID_ARGUMENT');
    expect(code(() => model.generate([1], { replace: true } as never))).toBe('ERR_NEOX_INVALID_ARGUMENT');
    const several = { doSample: true, numReturnSequences: 2, contextOverflow: 'shift' as const };
    expect(code(() => model.generate([1], several))).toBe('ERR_NEOX_INVALID_ARGUMENT');
  });

  test('a call says otherwise than its session; what cannot fit is refused', async () => {
    const session = small.createSession({ contextOverflow: 'shift', overflowKeep: 10 });
    const long = { ...greedy, maxNewTokens: 200 };
    await expect(session.generate([1], { ...long, contextOverflow: 'error' }).result()).rejects.toMatchObject(
      {
        code: 'ERR_NEOX_CONTEXT_FULL',
      },
    );
    await expect(session.generate([1], { ...long, overflowKeep: 100 }).result()).rejects.toMatchObject({
      code: 'ERR_NEOX_CONTEXT_FULL',
    });
    expect(session.position).toBe(0);
    expect((await session.generate([1], long).result()).tokenIds).toHaveLength(200);
    expect((await session.fork().generate([1], long).result()).tokenIds).toHaveLength(200);
  });
});
