// Workers terminated in the middle of a prefill, two at a time, while the main thread generates with the same weights.

import { Worker } from 'node:worker_threads';
import { expect, greedy, moment, neox, promptOf, rounds, settings, storm } from './storm.mjs';

const code = `
  const { parentPort, workerData } = require('node:worker_threads');
  const neox = require(workerData.package);
  (async () => {
    const model = await neox.Model.load(workerData.gguf, { threads: 1 });
    const prompt = Int32Array.from({ length: model.info.contextLength - 2 }, (_, index) => (index * 7919 + 13) % 128);
    parentPort.postMessage('begun');
    for (;;) await model.generate(prompt, { temperature: 0, eosTokenId: null, maxNewTokens: 1 }).result();
  })();`;

let slowestMs = 0;

async function terminateOne() {
  const worker = new Worker(code, { eval: true, workerData: settings });
  const errors = [];
  worker.on('error', (error) => errors.push(error));
  await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('exit', reject);
  });
  await moment(2 * prefillMs);
  const begin = performance.now();
  const exitCode = await worker.terminate();
  slowestMs = Math.max(slowestMs, performance.now() - begin);
  expect(exitCode === 1, `exit code 1, not ${exitCode}`);
  expect(errors.length === 0, `no error, but ${errors[0]}`);
}

const model = await neox.Model.load(settings.gguf, { threads: 1 });
const ids = async () =>
  String((await model.generate([1, 2, 3], { ...greedy, maxNewTokens: 20 }).result()).tokenIds);
const expected = await ids();
const { timings } = await model
  .generate(promptOf(model.info.contextLength - 2), { ...greedy, maxNewTokens: 1 })
  .result();
const { prefillMs } = timings;
await storm(
  async (count) => {
    slowestMs = 0;
    let isOver = false;
    const main = (async () => {
      while (!isOver) expect((await ids()) === expected, 'the same ids while workers end');
    })();
    await rounds(count, 2, terminateOne);
    isOver = true;
    await main;
    return { slowestMs, prefillMs };
  },
  { warmUp: Math.min(60, Math.max(6, Math.ceil(settings.count / 5))) },
);
await model.dispose();
