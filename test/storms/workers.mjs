// Several models in several workers at once, which end by themselves, with and without dispose(), by terminate() or by
// process.exit(): all of them give the main thread's ids.

import { Worker } from 'node:worker_threads';
import { expect, greedy, moment, neox, pick, rounds, settings, storm } from './storm.mjs';

const code = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { ending, storm } = workerData;
  const neox = require(storm.package);
  const options = { temperature: 0, eosTokenId: null, maxNewTokens: 20 };
  (async () => {
    const models = await Promise.all([storm.gguf, storm.checkpoint].map((path) => neox.Model.load(path, { threads: 1 })));
    const results = await Promise.all(models.map((model) => model.generate([1, 2, 3], options).result()));
    const iterator = models[0].createSession().generate([4, 5], { ...options, maxNewTokens: 300 })[Symbol.asyncIterator]();
    await iterator.next();
    parentPort.postMessage(String(results.map(({ tokenIds }) => tokenIds)));
    if (ending === 'dispose') await Promise.all(models.map((model) => model.dispose()));
    if (ending === 'exit') process.exit(3);
    if (ending === 'terminate') for (;;) await models[1].generate([1], options).result();
  })();`;

const exitCodes = { end: 0, dispose: 0, exit: 3, terminate: 1 };
const options = { ...greedy, maxNewTokens: 20 };
const models = await Promise.all([settings.gguf, settings.checkpoint].map((path) => neox.Model.load(path)));
const results = await Promise.all(models.map((model) => model.generate([1, 2, 3], options).result()));
const expected = String(results.map(({ tokenIds }) => tokenIds));
for (const model of models) await model.dispose();

async function one() {
  const ending = pick(Object.keys(exitCodes));
  const worker = new Worker(code, { eval: true, workerData: { ending, storm: settings } });
  const exited = new Promise((resolve, reject) => {
    worker.once('exit', resolve);
    worker.once('error', reject);
  });
  const said = await Promise.race([new Promise((resolve) => worker.once('message', resolve)), exited]);
  expect(said === expected, `the main thread's ids, not ${said}`);
  if (ending === 'terminate') {
    await moment(10);
    await worker.terminate();
  }
  const exitCode = await exited;
  expect(exitCode === exitCodes[ending], `exit code ${exitCodes[ending]} after ${ending}, not ${exitCode}`);
}

await storm(async (count) => void (await rounds(count, 4, one)), {
  warmUp: Math.min(60, Math.max(8, Math.ceil(settings.count / 5))),
});
