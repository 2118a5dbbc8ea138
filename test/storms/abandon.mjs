// Iterators abandoned after a step, without return, on a model and with a signal that live on: once they are collected,
// what their calls held of the KV pool is free again.

import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { between, expect, greedy, neox, promptOf, settings, storm } from './storm.mjs';

const model = await neox.Model.load(settings.gguf, { threads: 2, maxSequences: 4 });
const { contextLength } = model.info;
const lasting = new AbortController();
setMaxListeners(0, lasting.signal);

async function abandonOne() {
  const from = between(0, 1) === 0 ? model : model.createSession();
  const generation = from.generate(promptOf(between(1, 100)), {
    ...greedy,
    maxNewTokens: between(130, 300),
    signal: lasting.signal,
  });
  const { done } = await generation[Symbol.asyncIterator]().next();
  expect(!done, 'a chunk');
}

/** Resolves when a call that needs the whole pool has run, and with it those that hold nothing any more. */
async function takeWholePool() {
  let isDone = false;
  const all = Promise.all(
    Array.from({ length: 4 }, () =>
      model.generate(promptOf(contextLength - 2), { ...greedy, maxNewTokens: 2 }).result(),
    ),
  ).then(() => {
    isDone = true;
  });
  for (let wait = 0; wait < 500 && !isDone; wait++) {
    globalThis.gc();
    await sleep(5);
  }
  expect(isDone, 'the blocks of abandoned calls back within seconds of collections');
  await all;
}

await storm(async (count) => {
  for (let begun = 0; begun < count; begun += 4) {
    // As many as fit beside each other: without a collection a fifth would wait.
    for (let i = 0; i < 4; i++) await abandonOne();
    await takeWholePool();
  }
});
await model.dispose();
