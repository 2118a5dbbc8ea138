// node-llama-cpp, from the folder that `path` names or one above this file; it downloads and builds nothing.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readTask, report } from './protocol.mjs';

const task = readTask();
const { resolve } = createRequire(task.path ? join(task.path, 'package.json') : import.meta.url);
const { getLlama, getModuleVersion } = await import(pathToFileURL(resolve('node-llama-cpp')).href);
const version = `node-llama-cpp ${await getModuleVersion()}`;
if (task.probe) report({ version });
else await run();
process.exit(0); // what is left of the addon's threads would keep the process

async function run() {
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    progressLogs: false,
    logLevel: 'error',
    maxThreads: task.threads,
  });
  const begin = performance.now();
  const model = await llama.loadModel({ modelPath: task.model });
  const context = await model.createContext({
    contextSize: task.contextLength,
    batchSize: 512,
    threads: { ideal: task.threads, min: task.threads },
  });
  const sequence = context.getSequence();
  const loadSeconds = (performance.now() - begin) / 1000;
  const generate = async (ids, count, onFirst = () => {}) => {
    const found = [];
    for await (const id of sequence.evaluate(ids, { temperature: 0 })) {
      if (found.length === 0) onFirst();
      found.push(id);
      if (found.length === count) break;
    }
    return found;
  };
  await generate(task.checkIds.slice(0, 1), 1);
  const firstTokenSeconds = (performance.now() - begin) / 1000;

  await sequence.clearHistory();
  const ids = await generate(task.checkIds, task.checkTokens);
  await sequence.clearHistory();
  const before = performance.now();
  await generate(task.promptIds, 1);
  const pp = task.promptIds.length / ((performance.now() - before) / 1000);
  const rate = async (prompt) => {
    await sequence.clearHistory();
    let first = 0;
    await generate(prompt, task.gen + 1, () => {
      first = performance.now();
    });
    return task.gen / ((performance.now() - first) / 1000);
  };
  const tg = await rate(task.promptIds.slice(0, 1));
  const tgDepth = task.depth > 0 ? await rate(task.depthIds) : null;
  report({ version, loadSeconds, firstTokenSeconds, pp, tg, tgDepth, ids, logits: null });
}
