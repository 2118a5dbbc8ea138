// The ports of one page: the next one ends the last, and waits for what was begun there.

import { Model } from '../../lib/index.js';
import { closing, makeStage, type Stage, until } from './pages.js';

const GONE = { code: 'ERR_NEOX_DISPOSED' };
let stage: Stage;
beforeEach(() => {
  stage = makeStage();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await stage.close();
});

/** From now on inspections wait for `go`. */
function holdInspections(): () => void {
  const { inspect } = Model;
  let go = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  jest.spyOn(Model, 'inspect').mockImplementation(async (...given) => {
    await held;
    return inspect.apply(Model, given);
  });
  return go;
}

/** A page whose port cannot end yet, as an inspection runs there. */
async function stuck(page: number | string): Promise<{ inspected: Promise<unknown>; go(): void }> {
  const go = holdInspections();
  const { client } = stage.page({ page });
  const inspected = client.inspect('demo').catch((error: unknown) => error);
  await client.models(); // behind the inspection
  return { inspected, go };
}

test('the next port of a page ends the one before, with all that it had', async () => {
  const first = stage.page({ page: 1 });
  const model = await first.client.load('demo');
  const running = model.generate('むかし', { eosTokenId: null, maxNewTokens: 1e6, contextOverflow: 'shift' });
  await running[Symbol.asyncIterator]().next();
  const dispose = jest.spyOn(Model.prototype, 'dispose');
  const second = stage.page({ page: 1 });
  expect(await second.client.models()).toHaveLength(1);
  expect(dispose).toHaveBeenCalledTimes(1);
  await expect(running.result()).rejects.toMatchObject(GONE);
  await expect(first.client.models()).rejects.toMatchObject(GONE);
});

test.each<[string, { page?: number | string }, { page?: number | string }]>([
  ['of other pages', { page: 1 }, { page: 2 }],
  ['of a number and the text of it', { page: 1 }, { page: '1' }],
  ['of no page', {}, {}],
])('ports %s leave each other alone', async (_, one, other) => {
  const first = stage.page(one);
  await first.client.models();
  const second = stage.page(other);
  expect(await second.client.models()).toHaveLength(1);
  expect(await first.client.models()).toHaveLength(1);
});

test('a port that is dead ends as others do, and the next one of its page is answered', async () => {
  const told: unknown[] = [];
  await stage.close();
  stage = makeStage({ onError: (error) => told.push(error) });
  const dead = { on: () => undefined, postMessage: () => undefined, close: () => undefined };
  const start = (): void => {
    throw new Error('it is dead');
  };
  stage.host.serve({ ...dead, start }, { page: 1 });
  expect(told).toEqual([new Error('it is dead')]);
  expect(await stage.page({ page: 1 }).client.models()).toHaveLength(1);
});

test('a port that sends more than can wait is left', async () => {
  const { go, inspected } = await stuck(1);
  const { client, port } = stage.page({ page: 1 });
  for (let id = 1000; id < 1300; id++) port.postMessage({ id, type: 'models' });
  await client.closed;
  go();
  await inspected;
  expect(await stage.page({ page: 1 }).client.models()).toHaveLength(1);
});

test('it is answered when everything on the one before has ended, and of those that wait the last one stays', async () => {
  const { inspected, go } = await stuck('a page');
  const second = stage.page({ page: 'a page' });
  const replaced = second.client.models().catch((error: unknown) => error);
  const third = stage.page({ page: 'a page' });
  let isAnswered = false;
  const waiting = third.client.models().then((models) => {
    isAnswered = true;
    return models;
  });
  await second.client.closed;
  expect(await inspected).toMatchObject(GONE);
  expect(await replaced).toMatchObject(GONE);
  expect(await stage.page().client.models()).toHaveLength(1); // a neighbour does not wait
  expect(isAnswered).toBe(false);
  go();
  expect(await waiting).toHaveLength(1);
});

test('a port that closes while it waits is passed over', async () => {
  const { go } = await stuck(1);
  const second = stage.page({ page: 1 });
  second.port.close();
  await closing(second.port);
  go();
  expect(await stage.page({ page: 1 }).client.models()).toHaveLength(1);
});

test('what ended by itself keeps nobody waiting, and no page is remembered', async () => {
  const first = stage.page({ page: 1 });
  await first.client.load('demo');
  first.port.close();
  await closing(first.port);
  const second = stage.page({ page: 1 });
  await second.client.models();
  await second.end();
  expect(await stage.page({ page: 1 }).client.models()).toHaveLength(1);
});

test('what serve() gave ends a port that waits, and dispose() of the host all of them', async () => {
  const { go } = await stuck(1);
  const second = stage.page({ page: 1 });
  await second.end();
  await second.client.closed;
  const third = stage.page({ page: 1 });
  const disposal = stage.host.dispose();
  await third.client.closed;
  go();
  await disposal;
  expect(await stage.page({ page: 1 }).client.models()).toHaveLength(1);
});

test('the next port is answered although something of the one before cannot be freed', async () => {
  const told: unknown[] = [];
  const own = makeStage({ onError: (error) => told.push(error) });
  await own.page({ page: 1 }).client.load('demo');
  const { dispose } = Model.prototype;
  let kept: Model | undefined;
  jest.spyOn(Model.prototype, 'dispose').mockImplementationOnce(async function (this: Model) {
    kept = this;
    throw new Error('it does not let go');
  });
  const { client } = own.page({ page: 1 });
  expect(await client.models()).toHaveLength(1);
  await until(() => told.length > 0);
  expect(told).toEqual([expect.objectContaining({ message: 'it does not let go' })]);
  if (kept) await dispose.call(kept);
  await own.close();
});

test.each([null, {}, true])('%p is no page', (page) => {
  const { port1 } = new MessageChannel();
  expect(() => stage.host.serve(port1, { page: page as unknown as number })).toThrow(/`page`/);
  port1.close();
});
