// What the engine refuses to free: the rest of the page goes, and somebody hears of it.

import { type HostedModel, ModelHost } from '../../lib/electron/host.js';
import { Model, Session } from '../../lib/index.js';
import { DEMO, makeStage, type Stage, until } from './pages.js';

const OTHER: HostedModel = { ...DEMO, id: 'other' };
const told: unknown[] = [];
let stage: Stage;

beforeEach(() => {
  told.length = 0;
  stage = makeStage({ models: [DEMO, OTHER], onError: (error) => told.push(error) });
});
afterEach(async () => {
  jest.restoreAllMocks();
  await stage.close();
});

/** From now on the first models refuse to be freed; `freed` counts those that were not refused, `release` frees all. */
function refuse(count: number): { freed(): number; release(): Promise<void> } {
  const { dispose } = Model.prototype;
  const kept: Model[] = [];
  let freed = 0;
  jest.spyOn(Model.prototype, 'dispose').mockImplementation(async function (this: Model) {
    if (kept.length < count) {
      kept.push(this);
      throw new Error(`it does not let go, ${kept.length}`);
    }
    await dispose.call(this);
    freed++;
  });
  return {
    freed: () => freed,
    release: async () => {
      for (const model of kept) await dispose.call(model);
    },
  };
}

test('who ends a page hears of it, after everything else was freed, and the host goes on', async () => {
  const { client, end } = stage.page();
  await client.load('demo');
  await client.load('other');
  const { freed, release } = refuse(1);
  await expect(end()).rejects.toThrow('it does not let go, 1');
  expect(freed()).toBe(1);
  expect(told).toEqual([]);
  await stage.host.dispose();
  expect(await stage.page().client.models()).toHaveLength(2);
  await release();
});

test('of a page that closes by itself the owner of the host hears, after everything else was freed', async () => {
  const { client, port } = stage.page();
  for (const id of ['demo', 'other']) await (await client.load(id)).createSession();
  const { freed, release } = refuse(1);
  port.close();
  await until(() => told.length > 0);
  expect(told).toEqual([expect.objectContaining({ message: 'it does not let go, 1' })]);
  expect(freed()).toBe(1);
  await release();
});

test('without an owner who listens, it is a warning of the process', async () => {
  const deaf = new ModelHost({ models: [DEMO] });
  const { port1, port2 } = new MessageChannel();
  deaf.serve(port1);
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const load = jest.spyOn(Model, 'load');
  port2.postMessage({ id: 1, type: 'load', model: 'demo' });
  await until(() => load.mock.results.length > 0);
  await load.mock.results[0]?.value;
  await new Promise((resolve) => setImmediate(resolve));
  const { release } = refuse(1);
  port2.close();
  await until(() => warn.mock.calls.length > 0);
  expect(warn.mock.calls).toEqual([
    ['Something of a page could not be freed: it does not let go, 1', 'NeoxWarning'],
  ]);
  await release();
});

test('several are one error of all', async () => {
  const { client, end } = stage.page();
  await client.load('demo');
  await client.load('other');
  const { release } = refuse(2);
  const failure = await end().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(AggregateError);
  expect((failure as AggregateError).errors.map(({ message }) => message)).toEqual([
    'it does not let go, 1',
    'it does not let go, 2',
  ]);
  await release();
});

test('dispose() of the host rejects after all its pages were freed', async () => {
  await stage.page().client.load('demo');
  await stage.page().client.load('other');
  const { freed, release } = refuse(1);
  await expect(stage.host.dispose()).rejects.toThrow('it does not let go, 1');
  expect(freed()).toBe(1);
  await release();
});

test('a session that cannot be freed does not keep its model', async () => {
  const { client } = stage.page();
  const model = await client.load('demo');
  await model.createSession();
  const { freed } = refuse(0);
  jest.spyOn(Session.prototype, 'dispose').mockImplementationOnce(() => {
    throw new Error('no, not this session');
  });
  await expect(model.dispose()).rejects.toThrow('no, not this session');
  expect(freed()).toBe(1);
});

test('a load that was given up, and whose model cannot be freed: the page hears its reason, the owner the rest', async () => {
  const { client } = stage.page();
  const { load } = Model;
  const controller = new AbortController();
  let isHeld = true;
  // The load ends although it was cancelled, as one does whose abort comes too late.
  jest.spyOn(Model, 'load').mockImplementation(async (path, options) => {
    const { signal: _, ...rest } = options ?? {};
    const model = await load.call(Model, path, rest);
    while (isHeld) await new Promise((resolve) => setTimeout(resolve, 5));
    return model;
  });
  const { release } = refuse(1);
  const reason = new Error('the reader went away');
  const loading = client.load('demo', { signal: controller.signal });
  const outcome = expect(loading).rejects.toBe(reason);
  await client.models(); // behind the load
  controller.abort(reason);
  isHeld = false;
  await outcome;
  await until(() => told.length > 0);
  expect(told).toEqual([expect.objectContaining({ message: 'it does not let go, 1' })]);
  await release();
});

test('onError must be a function', () => {
  const options = { models: [], onError: 'console' as unknown as () => void };
  expect(() => new ModelHost(options)).toThrow(/`onError`/);
});
