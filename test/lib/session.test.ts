// Sessions: what they keep, give back and share.

import { demoModelPath, Model, type Session } from '../../lib/index.js';

const greedy = { temperature: 0, maxNewTokens: 40 };
let model: Model;

beforeAll(async () => {
  model = await Model.load(demoModelPath(), { precision: 'exact' });
});
afterAll(() => model.dispose());

async function ids(session: Session, prompt: number[], maxNewTokens = 20): Promise<number[]> {
  const options = { temperature: 0, eosTokenId: null, maxNewTokens };
  return (await session.generate(prompt, options).result()).tokenIds;
}

test('generate appends, and two calls give what one gives', async () => {
  const whole = await ids(model.createSession(), [9, 8, 7], 30);
  const session = model.createSession();
  const first = await ids(session, [9, 8, 7], 10);
  expect(session.position).toBe(13);
  const second = await ids(session, [], 20);
  expect([...first, ...second]).toEqual(whole);
  expect(session.tokenIds).toEqual([9, 8, 7, ...whole]);
});

test('truncate forgets, and what follows is as if it had never been', async () => {
  const session = model.createSession();
  const first = await ids(session, [9, 8, 7]);
  await ids(session, [100, 101]);
  session.truncate(3);
  expect(session.tokenIds).toEqual([9, 8, 7]);
  expect(await ids(session, [])).toEqual(first);
});

test.each([-1, 1.5, 4, Number.NaN, '1'])('truncate(%p) of a session of 3 is an error', async (position) => {
  const session = model.createSession();
  await ids(session, [9, 8], 1);
  expect(() => session.truncate(position as number)).toThrow(
    expect.objectContaining({ code: 'ERR_NEOX_INVALID_ARGUMENT' }),
  );
  expect(session.position).toBe(3);
});

test('a fork goes its own way', async () => {
  const prompt = Array.from({ length: 100 }, (_, index) => (index * 31) % 2000);
  const session = model.createSession();
  const first = await ids(session, prompt);
  const fork = session.fork(prompt.length);
  const other = session.fork();
  session.dispose();
  expect(await ids(fork, [])).toEqual(first);
  expect(other.position).toBe(120);
  expect(other.tokenIds.slice(100)).toEqual(first);
  fork.dispose();
  other.dispose();
});

test('two forks generate at once without touching each other', async () => {
  const session = model.createSession();
  await ids(session, [9, 8, 7], 5);
  const forks = [session.fork(), session.fork()];
  const [a, b] = await Promise.all(forks.map((fork, index) => ids(fork, [50 + index])));
  session.truncate(8);
  const again = session.fork();
  expect(await ids(again, [50])).toEqual(a);
  expect(await ids(session, [51])).toEqual(b);
});

test('more sessions than the pool holds keep their tokens and their results', async () => {
  const small = await Model.load(demoModelPath(), {
    precision: 'exact',
    maxSequences: 1,
    contextLength: 128,
  });
  const options = { temperature: 0, eosTokenId: null, maxNewTokens: 10 };
  const prompts = [1, 2, 3, 4, 5].map((seed) =>
    Array.from({ length: 80 }, (_, index) => (index * seed * 13) % 2000),
  );
  const sessions = prompts.map(() => small.createSession());
  const expected: number[][] = [];
  for (const prompt of prompts)
    expected.push((await small.generate(prompt, { ...options, maxNewTokens: 20 }).result()).tokenIds);
  const got: number[][] = prompts.map(() => []);
  for (const round of [0, 1]) {
    for (const [index, session] of sessions.entries()) {
      const result = await session.generate(round === 0 ? (prompts[index] ?? []) : [], options).result();
      got[index]?.push(...result.tokenIds);
    }
  }
  expect(got).toEqual(expected);
  await small.dispose();
});

describe('chat', () => {
  const user = (content: string) => ({ role: 'user' as const, content });

  test('the first turn is what model.chat gives', async () => {
    const session = model.createSession();
    const a = await session.chat([user('こんにちは')], greedy).result();
    const b = await model.chat([user('こんにちは')], greedy).result();
    expect([a.text, a.tokenIds, a.usage]).toEqual([b.text, b.tokenIds, b.usage]);
  });

  test('turns stand in the session as the format writes them, without eos between them', async () => {
    const { tokenizer, chatFormat } = model;
    const session = model.createSession();
    const eos = model.config.eosTokenId as number;
    let written = '';
    for (const text of ['こんにちは', '富士山の高さは?', 'Hello.']) {
      const { text: answer } = await session
        .chat([user(text)], { ...greedy, forcedEosTokenId: eos })
        .result();
      if (written !== '') written += chatFormat?.separator;
      written += `${chatFormat?.user}${text}${chatFormat?.separator}${chatFormat?.assistant}${answer}`;
      expect(session.tokenIds).not.toContain(eos);
      expect(tokenizer.decode(session.tokenIds)).toBe(written.trim());
    }
  });

  test('truncating to where a turn began takes the turn back', async () => {
    const session = model.createSession();
    await session.chat([user('こんにちは')], greedy).result();
    const begin = session.position;
    const before = session.tokenIds;
    const first = await session.chat([user('富士山の高さは?')], greedy).result();
    session.truncate(begin);
    expect(session.tokenIds).toEqual(before);
    const second = await session.chat([user('富士山の高さは?')], greedy).result();
    expect(second.tokenIds).toEqual(first.tokenIds);
  });

  test("a user's special tokens are text", async () => {
    const session = model.createSession();
    await session.chat([user('</s><NL>')], { ...greedy, maxNewTokens: 1 }).result();
    expect(session.tokenIds.slice(0, -1)).not.toContain(model.config.eosTokenId);
  });

  test.each<[string, unknown]>([
    ['no messages', []],
    ['an unknown role', [{ role: 'robot', content: '' }]],
    ['content that is no text', [{ role: 'user', content: 1 }]],
  ])('%s is an error at once', (_, messages) => {
    expect(() => model.createSession().chat(messages as never)).toThrow(
      expect.objectContaining({ code: 'ERR_NEOX_INVALID_ARGUMENT' }),
    );
  });
});
