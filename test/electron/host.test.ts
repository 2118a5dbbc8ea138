// The host and its client over real ports, with the demo model.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RemoteError } from '../../lib/electron/client.js';
import { type Chunk, demoModelPath, Model } from '../../lib/index.js';
import { closing, DEMO, makeStage, type Stage, until, user } from './pages.js';

const ENDLESS = {
  eosTokenId: null,
  maxNewTokens: 1e6,
  temperature: 0,
  contextOverflow: 'shift' as const,
};
let folder: string;
let stage: Stage;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'neox-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  stage = makeStage();
});
afterEach(async () => {
  await stage.close();
  jest.restoreAllMocks();
});

test('a page lists, inspects and loads', async () => {
  const { client } = stage.page();
  expect(await client.models()).toEqual([{ id: 'demo', name: 'デモモデル' }]);
  const summary = await client.inspect('demo');
  expect(summary).toMatchObject({
    id: 'demo',
    name: 'デモモデル',
    type: 'Q8_0',
    format: 'GGUF 3',
    contextLength: 1024,
    hasTokenizer: true,
    chatFormat: 'rinna-bilingual',
  });
  expect(summary.fileBytes).toBeGreaterThan(4e6);
  expect(summary.memoryBytes).toBeGreaterThan(summary.fileBytes);
  expect(JSON.stringify(summary)).not.toContain(demoModelPath());

  const progress: number[] = [];
  const model = await client.load('demo', { onProgress: ({ done, total }) => progress.push(done / total) });
  expect(progress.at(-1)).toBe(1);
  expect(model.summary).toMatchObject({
    info: { type: 'Q8_0', contextLength: 1024 },
    config: { numHiddenLayers: 4 },
    chatFormat: 'rinna-bilingual',
  });
  // Absent where all layers are on a GPU; it may name the file of a library.
  expect(model.summary.info).not.toHaveProperty('deviceNote');
  await model.dispose();
});

test('an answer streams as it does where the model is', async () => {
  const { client } = stage.page();
  const model = await client.load('demo');
  const local = await Model.load(demoModelPath());
  const chunks: Chunk[] = [];
  const generation = model.chat(user('富士山の高さは?'));
  for await (const chunk of generation) chunks.push(chunk);
  const result = await generation.result();
  const expected = await local.chat(user('富士山の高さは?')).result();
  expect(result.text).toContain('3776');
  expect({ ...result, timings: null, seed: null }).toEqual({ ...expected, timings: null, seed: null });
  expect(chunks.map(({ text }) => text).join('')).toBe(expected.text);
  expect(chunks.flatMap(({ tokens }) => tokens.map(({ id }) => id))).toEqual(expected.tokenIds);
  await local.dispose();
});

test('a session keeps what it has computed, and begins anew with `replace`', async () => {
  const { client } = stage.page();
  const session = await (await client.load('demo')).createSession();
  const first = await session.chat(user('こんにちは！')).result();
  expect(first.usage.cachedTokens).toBe(0);
  const whole = [
    ...user('こんにちは！'),
    { role: 'assistant' as const, content: first.text },
    ...user('日本の首都はどこですか？'),
  ];
  const second = await session.chat(whole, { replace: true }).result();
  expect(second.text).toContain('東京');
  expect(second.usage.cachedTokens).toBeGreaterThan(5);
  await session.dispose();
  await expect(session.chat(whole).result()).rejects.toMatchObject({ code: 'ERR_NEOX_DISPOSED' });
});

test('leaving the loop stops the engine, and the session can go on', async () => {
  const { client } = stage.page();
  const session = await (await client.load('demo')).createSession();
  const generation = session.generate('むかしむかし', ENDLESS);
  let chunks = 0;
  for await (const _ of generation) if (++chunks === 3) break;
  const result = await generation.result();
  expect(result.finishReason).toBe('cancelled');
  // Busy if the first had not ended.
  expect((await session.generate('、', { maxNewTokens: 2 }).result()).usage.completionTokens).toBeGreaterThan(
    0,
  );
});

test('a generation that is left at once ends', async () => {
  const { client } = stage.page();
  const generation = (await client.load('demo')).generate('むかし', ENDLESS);
  await generation[Symbol.asyncIterator]().return?.();
  expect((await generation.result()).finishReason).toBe('cancelled');
  expect(() => generation[Symbol.asyncIterator]()).toThrow(RemoteError);
});

test('an abort rejects with its reason: of a call, before one, of a load', async () => {
  const { client } = stage.page();
  const model = await client.load('demo');
  const reason = new Error('the reader went away');
  const controller = new AbortController();
  const running = model.generate('むかし', { ...ENDLESS, signal: controller.signal });
  await expect(async () => {
    for await (const _ of running) controller.abort(reason);
  }).rejects.toBe(reason);
  const late = model.generate('むかし', { ...ENDLESS, signal: controller.signal });
  await expect(late.result()).rejects.toBe(reason);
  await expect(client.load('demo', { signal: controller.signal })).rejects.toBe(reason);
  await model.dispose();
});

test('a load whose onProgress throws rejects with that, and its model goes', async () => {
  const { client } = stage.page();
  const load = jest.spyOn(Model, 'load');
  const dispose = jest.spyOn(Model.prototype, 'dispose');
  const failure = new Error('no bar to move');
  const onProgress = (): never => {
    throw failure;
  };
  await expect(client.load('demo', { onProgress })).rejects.toBe(failure);
  const made = await load.mock.results[0]?.value.catch(() => undefined);
  if (made) await until(() => dispose.mock.calls.length > 0);
  expect(await client.models()).toHaveLength(1);
});

test('a load that nobody waits for any more is given up', async () => {
  let signal: AbortSignal | undefined;
  jest.spyOn(Model, 'load').mockImplementation((_path, options) => {
    signal = options?.signal;
    return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal?.reason)));
  });
  const controllers = [new AbortController(), new AbortController()];
  const loads = controllers.map((controller) =>
    stage.page().client.load('demo', { signal: controller.signal }),
  );
  const outcomes = Promise.allSettled(loads);
  await stage.page().client.models(); // behind the loads
  controllers[0]?.abort();
  await expect(loads[0]).rejects.toMatchObject({ name: 'AbortError' });
  expect(signal?.aborted).toBe(false);
  controllers[1]?.abort();
  await outcomes;
  expect(signal?.aborted).toBe(true);
  expect(Model.load).toHaveBeenCalledTimes(1);
});

test('errors come with code, name and message', async () => {
  const broken = join(folder, 'broken.gguf');
  writeFileSync(broken, 'GGUF and nothing more');
  stage.host.addModel({ id: 'broken', path: broken });
  stage.host.addModel({ id: 'gone', path: join(folder, 'gone.gguf') });
  const { client } = stage.page();
  const failure = await client.load('broken').catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(RemoteError);
  expect(failure).toMatchObject({ name: 'FormatError', code: expect.stringMatching(/^ERR_NEOX_FORMAT_/) });
  await expect(client.inspect('gone')).rejects.toMatchObject({ code: 'ERR_NEOX_FILE_NOT_FOUND' });
  await expect(client.load('other')).rejects.toMatchObject({
    code: 'ERR_NEOX_FILE_NOT_FOUND',
    message: "The host offers no model with the id 'other'.",
  });
  const model = await client.load('demo');
  const long = model.generate('あ', { maxNewTokens: 5000 });
  await expect(long.result()).rejects.toMatchObject({
    name: 'ContextFullError',
    code: 'ERR_NEOX_CONTEXT_FULL',
  });
  const odd = model.chat([{ role: 'nobody' as 'user', content: 'x' }]);
  await expect(odd.result()).rejects.toMatchObject({ name: 'ArgumentError' });
  const step = { logitsProcessor: () => undefined } as object;
  await expect(model.generate('あ', step).result()).rejects.toMatchObject({
    code: 'ERR_NEOX_INVALID_ARGUMENT',
    message: expect.stringContaining('A request must be data'),
  });
});

test('two pages share a model, and each gets its own answer', async () => {
  const load = jest.spyOn(Model, 'load');
  const [a, b] = await Promise.all([stage.page().client.load('demo'), stage.page().client.load('demo')]);
  expect(load).toHaveBeenCalledTimes(1);
  const local = await load.mock.results[0]?.value;
  const dispose = jest.spyOn(local, 'dispose');
  const answers = await Promise.all([
    a.chat(user('日本の首都はどこですか？')).result(),
    b.chat(user('3+4は？')).result(),
  ]);
  expect(answers.map(({ text }) => text)).toEqual([
    expect.stringContaining('東京'),
    expect.stringContaining('7'),
  ]);
  await a.dispose();
  expect(dispose).not.toHaveBeenCalled();
  expect((await b.chat(user('2足す3はいくつですか？')).result()).text).toContain('5');
  await b.dispose();
  expect(dispose).toHaveBeenCalledTimes(1);
});

test('a port that closes in the middle takes its page, and nobody else', async () => {
  const { client, port } = stage.page();
  const load = jest.spyOn(Model, 'load');
  const other = await stage.page().client.load('demo');
  const model = await client.load('demo');
  const session = await model.createSession();
  const running = [model.generate('むかし', ENDLESS), session.generate('むかし', ENDLESS)];
  const readers = running.map((generation) => generation[Symbol.asyncIterator]());
  for (const reader of readers) await reader.next();
  const local = (await load.mock.results[0]?.value) as Model;
  port.close();
  await closing(port);
  for (const generation of running) {
    await expect(generation.result()).rejects.toMatchObject({ code: 'ERR_NEOX_DISPOSED' });
  }
  await client.closed;
  await model.dispose();
  await expect(client.models()).rejects.toMatchObject({ code: 'ERR_NEOX_DISPOSED' });
  expect((await other.chat(user('3+4は？')).result()).text).toContain('7');
  const dispose = jest.spyOn(local, 'dispose');
  await other.dispose();
  // When the last user has let go.
  await until(() => dispose.mock.calls.length > 0);
  expect(dispose).toHaveBeenCalledTimes(1);
});

test('disposing a model ends its calls and its sessions', async () => {
  const { client } = stage.page();
  const model = await client.load('demo');
  const session = await model.createSession();
  const running = [model.generate('むかし', ENDLESS), session.generate('むかし', ENDLESS)];
  for (const generation of running) await generation[Symbol.asyncIterator]().next();
  await model.dispose();
  await model.dispose();
  for (const generation of running) expect((await generation.result()).finishReason).toBe('cancelled');
  await expect(session.generate('あ').result()).rejects.toMatchObject({ code: 'ERR_NEOX_DISPOSED' });
});

test('dispose() of the host closes its ports', async () => {
  const { client, port } = stage.page();
  await client.load('demo');
  const closed = closing(port);
  await stage.host.dispose();
  await closed;
  await client.closed;
});

test('the host ends a page from its side, and its own disposal waits for pages that are ending', async () => {
  const { client, end } = stage.page();
  const generation = (await client.load('demo')).generate('むかし', ENDLESS);
  await generation[Symbol.asyncIterator]().next();
  const { dispose } = Model.prototype;
  let isFreed = false;
  jest.spyOn(Model.prototype, 'dispose').mockImplementation(async function (this: Model) {
    await dispose.call(this);
    isFreed = true;
  });
  const ended = end();
  await stage.host.dispose();
  expect(isFreed).toBe(true);
  await Promise.all([ended, end(), client.closed]);
  await expect(generation.result()).rejects.toMatchObject({ code: 'ERR_NEOX_DISPOSED' });
});

test.each([
  ['an id that there is', DEMO, /already/],
  ['no id', { id: '', path: 'x' }, /`id`/],
  ['no path', { id: 'x' }, /`path`/],
])('a model that cannot be offered: %s', (_, model, message) => {
  expect(() => stage.host.addModel(model as typeof DEMO)).toThrow(message);
});
