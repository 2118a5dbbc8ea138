// How a page reads its calls, where it matters that the host may be ahead of it.

import type { Chunk } from '../../lib/index.js';
import { makeStage, type Stage } from './pages.js';

const FIXED = { eosTokenId: null, maxNewTokens: 12, temperature: 0 };
let stage: Stage;

beforeEach(() => {
  stage = makeStage();
});
afterEach(() => stage.close());

test('an abort counts until everything was read, also where the host has finished', async () => {
  const { client, port } = stage.page();
  const model = await client.load('demo');
  const reason = new Error('the reader went away');
  const begin = async () => {
    const finished = new Promise<void>((resolve) => {
      port.on('message', ({ type }) => type === 'result' && resolve());
    });
    const controller = new AbortController();
    const options = { ...FIXED, signal: controller.signal };
    const generation = model.generate('むかし', options);
    const reader = generation[Symbol.asyncIterator]();
    await reader.next();
    await finished;
    return { generation, reader, abort: () => controller.abort(reason) };
  };
  const early = await begin();
  early.abort();
  await expect(early.reader.next()).rejects.toBe(reason);
  expect(await early.reader.next()).toEqual({ done: true, value: undefined });
  await expect(early.generation.result()).rejects.toBe(reason);
  const late = await begin();
  while (!(await late.reader.next()).done);
  late.abort();
  expect((await late.generation.result()).tokenIds).toHaveLength(12);
});

test('chunks that are asked for at once come in turn', async () => {
  const { client } = stage.page();
  const generation = (await client.load('demo')).generate('むかし', FIXED);
  const reader = generation[Symbol.asyncIterator]();
  const steps = await Promise.all(Array.from({ length: 20 }, () => reader.next()));
  expect(steps.at(-1)?.done).toBe(true);
  const ids = steps.flatMap(({ value }) => (value as Chunk | undefined)?.tokens ?? []).map(({ id }) => id);
  expect(ids).toEqual((await generation.result()).tokenIds);
});
