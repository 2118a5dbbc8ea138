// Sessions saved to files and restored: what follows is the same, what does not fit is refused.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoModelPath, type LoadOptions, Model, type Session } from '../../lib/index.js';

let folder: string;
const models: Model[] = [];
const load = async (options: LoadOptions = {}): Promise<Model> => {
  const model = await Model.load(demoModelPath(), { contextLength: 512, ...options });
  models.push(model);
  return model;
};
const path = (name: string): string => join(folder, name);
const prompt = Array.from({ length: 150 }, (_, index) => (index * 31) % 2000);
const sampled = { temperature: 0.9, seed: 5, eosTokenId: null, maxNewTokens: 30, logprobs: 2 };

async function started(model: Model, options = {}): Promise<Session> {
  const session = model.createSession();
  await session.generate(prompt, { ...sampled, ...options }).result();
  return session;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'neox-session-'));
});
afterAll(async () => {
  for (const model of models) await model.dispose();
  rmSync(folder, { recursive: true, force: true });
});

test.each<LoadOptions>([{}, { precision: 'exact' }, { kvCacheType: 'f32' }, { kvCacheType: 'q8_0' }])(
  'a restored session goes on bit for bit, in another model too: %p',
  async (options) => {
    const [model, other] = [await load(options), await load(options)];
    const session = await started(model);
    await session.save(path('a'));
    const restored = await other.restoreSession(path('a'));
    expect(restored.tokenIds).toEqual(session.tokenIds);
    for (const more of [sampled, { ...sampled, temperature: 0, seed: 0 }]) {
      const expected = await session.fork().generate([7, 8], more).result();
      const got = await restored.fork().generate([7, 8], more).result();
      expect(got.tokens).toEqual(expected.tokens);
    }
  },
);

test('a conversation goes on, and progress ends at the whole file', async () => {
  const model = await load();
  const session = model.createSession();
  const say = (content: string) => [{ role: 'user' as const, content }];
  const greedy = { temperature: 0, maxNewTokens: 30 };
  await session.chat(say('こんにちは'), greedy).result();
  await session.chat(say('富士山の高さは?'), greedy).result();
  const saved: number[] = [];
  await session.save(path('chat'), { onProgress: ({ done, total }) => void saved.push(done / total) });
  const restored = await model.restoreSession(path('chat'), {
    onProgress: ({ done, total }) => void saved.push(done / total),
  });
  expect(saved.at(-1)).toBe(1);
  const expected = await session.chat(say('ありがとう'), greedy).result();
  expect((await restored.chat(say('ありがとう'), greedy).result()).text).toBe(expected.text);
});

test('a session on which a call runs is busy, and can be saved after it', async () => {
  const session = await started(await load());
  // Nobody reads on, so the call pauses and does not end.
  const chunks = session.generate([], { ...sampled, maxNewTokens: 300 })[Symbol.asyncIterator]();
  await chunks.next();
  await expect(session.save(path('busy'))).rejects.toMatchObject({ code: 'ERR_NEOX_BUSY' });
  await chunks.return?.();
  await session.save(path('busy'));
});

test('settings that differ are named; recompute takes the tokens alone', async () => {
  const model = await load({ kvCacheType: 'f32' });
  const other = await load({ kvCacheType: 'f16' });
  const session = await started(model);
  await session.save(path('f32'));
  await expect(other.restoreSession(path('f32'))).rejects.toMatchObject({
    code: 'ERR_NEOX_SESSION_MISMATCH',
    message: expect.stringContaining('kvCacheType f32 instead of f16'),
  });
  const restored = await other.restoreSession(path('f32'), { recompute: true });
  expect(restored.tokenIds).toEqual(session.tokenIds);
  expect((await restored.generate([3], sampled).result()).tokenIds).toHaveLength(30);
});

test('a session longer than the context is refused', async () => {
  const session = await started(await load());
  await session.save(path('long'));
  const narrow = await load({ contextLength: 128 });
  await expect(narrow.restoreSession(path('long'))).rejects.toMatchObject({ code: 'ERR_NEOX_CONTEXT_FULL' });
});

test('an abort leaves no file, and the session as it was', async () => {
  const model = await load();
  const session = await started(model);
  const reason = new Error('enough');
  await expect(session.save(path('aborted'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(readdirSync(folder).filter((name) => name.startsWith('aborted'))).toEqual([]);
  const onProgress = (): never => {
    throw reason;
  };
  await expect(session.save(path('stopped'), { onProgress })).rejects.toBe(reason);
  expect((await session.generate([1], sampled).result()).tokenIds).toHaveLength(30);
});

test('a file that is no session is a typed error, and so is a bad argument', async () => {
  const model = await load();
  const session = await started(model);
  await session.save(path('whole'));
  const bytes = readFileSync(path('whole'));
  const damaged = Buffer.from(bytes);
  damaged[damaged.length - 100] = (damaged[damaged.length - 100] ?? 0) ^ 1;
  writeFileSync(path('damaged'), damaged);
  writeFileSync(path('cut'), bytes.subarray(0, bytes.length - 1));
  const code = (name: unknown, options?: unknown) =>
    model.restoreSession(name as string, options as never).then(
      () => 'no error',
      (error) => error.code,
    );
  expect(await code(path('damaged'))).toBe('ERR_NEOX_FORMAT_VALUE');
  expect(await code(path('cut'))).toBe('ERR_NEOX_FORMAT_TRUNCATED');
  expect(await code(demoModelPath())).toBe('ERR_NEOX_FORMAT_MAGIC');
  expect(await code(path('nothing'))).toBe('ERR_NEOX_FILE_NOT_FOUND');
  for (const name of ['', 'a\0b', 7]) expect(await code(name)).toBe('ERR_NEOX_INVALID_ARGUMENT');
  expect(await code(path('whole'), { recompute: 1 })).toBe('ERR_NEOX_INVALID_ARGUMENT');
  expect(await code(path('whole'), { unknown: 1 })).toBe('ERR_NEOX_INVALID_ARGUMENT');
  await expect(session.save('')).rejects.toMatchObject({ code: 'ERR_NEOX_INVALID_ARGUMENT' });
  await expect(session.save(join(folder, 'no', 'folder'))).rejects.toMatchObject({
    code: 'ERR_NEOX_FILE_NOT_FOUND',
  });
  session.dispose();
  await expect(session.save(path('late'))).rejects.toMatchObject({ code: 'ERR_NEOX_DISPOSED' });
});
