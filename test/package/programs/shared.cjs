// How much the process grows when three workers load the model that the main thread has loaded.
const { once } = require('node:events');
const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads');
const { Model } = require('gpt-neox');

const load = (path) => Model.load(path, { contextLength: 64 });

async function main(path) {
  const model = await load(path);
  const { memory } = await Model.inspect(path, { contextLength: 64 });
  const before = process.memoryUsage.rss();
  const workers = [0, 1, 2].map(() => new Worker(__filename, { workerData: path }));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const grownBytes = process.memoryUsage.rss() - before;
  console.log(JSON.stringify({ weightsBytes: memory.weightsBytes, grownBytes }));
  await Promise.all(workers.map((worker) => worker.terminate()));
  await model.dispose();
}

if (isMainThread) main(process.argv[2]);
else load(workerData).then(() => parentPort.postMessage('loaded'));
