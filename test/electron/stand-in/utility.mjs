// A utility process as Electron starts it, in a worker thread. With STALLED in the environment the inspection of a model does
// not end.

import { EventEmitter } from 'node:events';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { Model } from 'gpt-neox';

if (process.env.STALLED) Model.inspect = () => new Promise(() => {});
process.parentPort = Object.assign(new EventEmitter(), {
  postMessage: (message) => parentPort.postMessage(message),
});
await import(pathToFileURL(workerData).href);
parentPort.on('message', (event) => process.parentPort.emit('message', event));
