// Pages that say what they should not, and pages that do not read.

import { FIRST_CREDIT, MAX_CREDIT, MAX_OPEN } from '../../lib/electron/protocol.js';
import { Work } from '../../lib/electron/work.js';
import { demoModelPath, Model } from '../../lib/index.js';
import { closing, makeStage, type Reply, type Stage, until, user } from './pages.js';

const ENDLESS = { eosTokenId: null, maxNewTokens: 900, temperature: 0 };
let stage: Stage;

beforeEach(() => {
  stage = makeStage();
});
afterEach(() => stage.close());

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test.each([
  undefined,
  null,
  'load',
  17,
  [],
  {},
  { type: 'models' },
  { id: 0, type: 'models' },
  { id: 1.5, type: 'models' },
  { id: '1', type: 'models' },
  { id: -3, type: 'models' },
  { id: Number.NaN, type: 'models' },
  { id: 1 },
  { id: 1, type: 'eval' },
  { id: 1, type: 'constructor' },
  { id: 1, type: '__proto__' },
  { id: 1, type: { toString: 'models' } },
  new Uint8Array(3),
])('what is no request closes its port: %p', async (message) => {
  const { port, messages } = stage.rawPage();
  const closed = closing(port);
  port.postMessage(message);
  await closed;
  expect(messages).toEqual([]);
  expect(await stage.page().client.models()).toHaveLength(1);
});

test('an id that came before closes the port', async () => {
  const { port } = stage.rawPage();
  const closed = closing(port);
  port.postMessage({ id: 2, type: 'models' });
  port.postMessage({ id: 1, type: 'models' });
  await closed;
});

test('requests with wrong fields are answered by an error, and the port lives on', async () => {
  const { port, next } = stage.rawPage();
  port.postMessage({ id: 1, type: 'load', model: 'demo' });
  await next(({ type }) => type === 'result');
  const bad: object[] = [
    { type: 'load' },
    { type: 'load', model: { id: 'demo' } },
    { type: 'load', model: '__proto__' },
    { type: 'inspect', model: '../demo' },
    { type: 'chat', target: 1 },
    { type: 'chat', target: 1, credit: 0, messages: user('あ') },
    { type: 'chat', target: 1, credit: MAX_CREDIT + 1, messages: user('あ') },
    { type: 'chat', target: 'demo', credit: 1, messages: user('あ') },
    { type: 'chat', target: 99, credit: 1, messages: user('あ') },
    { type: 'chat', target: 1, credit: 1 },
    { type: 'chat', target: 1, credit: 1, messages: 'あ' },
    { type: 'chat', target: 1, credit: 1, messages: [null] },
    { type: 'chat', target: 1, credit: 1, messages: [{ role: 'user', content: { length: 1e9 } }] },
    { type: 'chat', target: 1, credit: 1, messages: user('あ'), options: 'greedy' },
    { type: 'chat', target: 1, credit: 1, messages: user('あ'), options: { replace: true } },
    { type: 'chat', target: 1, credit: 1, messages: user('あ'), options: { signal: { aborted: false } } },
    { type: 'generate', target: 1, credit: 1, prompt: 'あ', options: { logitsProcessor: {} } },
    { type: 'generate', target: 1, credit: 1, prompt: { length: 4 } },
    { type: 'generate', target: 1, credit: 1, prompt: [-1] },
    { type: 'generate', target: 1, credit: 1, prompt: [2 ** 31] },
    { type: 'generate', target: 1, credit: 1, prompt: '\ud800' },
    { type: 'generate', target: 1, credit: 1, prompt: [{ embeddings: new Float32Array(3) }] },
    { type: 'generate', target: 1, credit: 1, prompt: 'あ', options: { maxNewTokens: 1e12 } },
    { type: 'generate', target: 1, credit: 1, prompt: 'あ', options: { numReturnSequences: 1e9 } },
    { type: 'generate', target: 1, credit: 1, prompt: 'あ', options: JSON.parse('{"__proto__": {"x": 1}}') },
    { type: 'createSession', target: 2 },
    { type: 'createSession', target: 1, options: { path: '/' } },
    { type: 'credit', chunks: 0 },
    { type: 'credit', chunks: Number.POSITIVE_INFINITY },
  ];
  let id = 1;
  for (const body of bad) {
    port.postMessage({ id: ++id, ...body });
    const reply = await next((each) => each.type !== 'progress');
    expect({ body, reply }).toMatchObject({ reply: { id, type: 'error' } });
    expect(reply.error?.code).toMatch(/^ERR_NEOX_(?!INTERNAL)/);
  }
  port.postMessage({ id: ++id, type: 'chat', target: 1, credit: 256, messages: user('3+4は？') });
  const { value } = await next(({ type }) => type === 'result');
  expect((value as { text: string }).text).toContain('7');
});

test('cancel, credit and dispose of what is not there do nothing', async () => {
  const { port, messages, next } = stage.rawPage();
  port.postMessage({ id: 5, type: 'cancel' });
  port.postMessage({ id: 5, type: 'credit', chunks: 3 });
  port.postMessage({ id: 6, type: 'dispose', target: 5 });
  expect(await next()).toEqual({ id: 6, type: 'result', value: undefined });
  expect(messages).toHaveLength(1);
});

test('another page’s models are out of reach', async () => {
  await stage.page().client.load('demo');
  const { port, next } = stage.rawPage();
  port.postMessage({ id: 9, type: 'chat', target: 1, credit: 1, messages: user('あ') });
  expect((await next()).error?.code).toBe('ERR_NEOX_DISPOSED');
});

test('a page that does not read gets no more than it has granted', async () => {
  const { port, messages, next } = stage.rawPage();
  port.postMessage({ id: 1, type: 'load', model: 'demo' });
  await next(({ type }) => type === 'result');
  port.postMessage({ id: 2, type: 'generate', target: 1, credit: 3, prompt: 'むかし', options: ENDLESS });
  const chunks = (): Reply[] => messages.filter(({ type }) => type === 'chunk');
  while (chunks().length < 3) await next();
  await pause(300);
  expect(chunks()).toHaveLength(3);
  port.postMessage({ id: 2, type: 'credit', chunks: 2 });
  while (chunks().length < 5) await next();
  await pause(100);
  expect(chunks()).toHaveLength(5);
  port.postMessage({ id: 2, type: 'cancel' });
  const { value } = await next(({ type }) => type === 'result');
  expect((value as { finishReason: string }).finishReason).toBe('cancelled');
  expect(chunks()).toHaveLength(5);
});

test('however much is granted at once, so much is sent', async () => {
  const model = await Model.load(demoModelPath(), { threads: 1 });
  const work = new Work({ target: 1, credit: 1 });
  for (let i = 0; i < 100; i++) work.grant(MAX_CREDIT);
  let sent = 0;
  const options = { ...ENDLESS, maxNewTokens: 1e6, contextOverflow: 'shift' as const };
  const result = work.stream(model.generate('むかし', options), () => sent++);
  await until(() => sent >= MAX_CREDIT);
  await pause(300);
  expect(sent).toBe(MAX_CREDIT);
  work.cancel();
  expect((await result).finishReason).toBe('cancelled');
  await model.dispose();
});

test('the client grants as its reader reads', async () => {
  const { client, port } = stage.page();
  const model = await client.load('demo');
  let arrived = 0;
  port.on('message', ({ type }) => {
    if (type === 'chunk') arrived++;
  });
  const endless = { ...ENDLESS, maxNewTokens: 1e6, contextOverflow: 'shift' as const };
  const generation = model.generate('むかし', endless);
  const reader = generation[Symbol.asyncIterator]();
  await reader.next();
  await until(() => arrived >= FIRST_CREDIT);
  await pause(200);
  expect(arrived).toBe(FIRST_CREDIT);
  for (let read = 1; read < 2 * FIRST_CREDIT; read++) expect((await reader.next()).done).toBe(false);
  await reader.return?.();
  expect((await generation.result()).finishReason).toBe('cancelled');
  // result() alone reads everything, too.
  expect((await model.generate('むかし', ENDLESS).result()).tokenIds).toHaveLength(900);
});

test('what one page may have open is bounded', async () => {
  const { port, next } = stage.rawPage();
  port.postMessage({ id: 1, type: 'load', model: 'demo' });
  await next(({ type }) => type === 'result');
  for (let id = 2; id <= MAX_OPEN + 1; id++) port.postMessage({ id, type: 'createSession', target: 1 });
  const last = await next(({ id }) => id === MAX_OPEN + 1);
  expect(last.error?.code).toBe('ERR_NEOX_BUSY');
  const calls = MAX_OPEN + 3;
  for (let i = 0; i < calls; i++) {
    port.postMessage({
      id: 1000 + i,
      type: 'generate',
      target: 1,
      credit: 1,
      prompt: 'あ',
      options: ENDLESS,
    });
  }
  const refused = await next(({ id, type }) => id >= 1000 && type === 'error');
  expect(refused).toMatchObject({ id: 1000 + MAX_OPEN, error: { code: 'ERR_NEOX_BUSY' } });
});
