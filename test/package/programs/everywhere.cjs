// One binary in the main thread, by require and by import, in three workers at once and in a child process. Prints the ids.
const { fork } = require('node:child_process');
const { once } = require('node:events');
const { isMainThread, parentPort, Worker } = require('node:worker_threads');
const { answer } = require('./answer.cjs');

async function main() {
  const { text, tokenIds } = await answer();
  const imported = await (await import('./imported.mjs')).answer();
  const workers = [0, 1, 2].map(() => new Worker(__filename));
  const told = await Promise.all(workers.map((worker) => once(worker, 'message')));
  const child = fork(__filename, ['child']);
  const [fromChild] = await once(child, 'message');
  const answers = { main: tokenIds, imported: imported.tokenIds };
  told.forEach(([ids], index) => {
    answers[`worker ${index}`] = ids;
  });
  answers.child = fromChild;
  console.log(JSON.stringify({ version: process.version, text, answers }));
}

if (!isMainThread) answer().then(({ tokenIds }) => parentPort.postMessage(tokenIds));
else if (process.argv[2] === 'child') answer().then(({ tokenIds }) => process.send(tokenIds, () => process.disconnect()));
else main();
