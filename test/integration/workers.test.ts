// Environments that come and go: workers, terminate(), process.exit() and the ends of processes, with native threads busy.
// The programs here are run by Node itself, over the built package: Jest shares one instance of the addon between all tests.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Model } from '../../lib/index.js';
import { checkpointPath } from './fixtures.js';
import { makeSlowModelFile, type SlowModelFile } from './slow-model.js';

const packagePath = join(__dirname, '..', '..', 'dist', 'index.js');
const tinyPath = checkpointPath('sequential-erf');
let slow: SlowModelFile;

beforeAll(async () => {
  slow = await makeSlowModelFile();
});
afterAll(() => slow?.remove());

const prelude = `
  const { workerData, parentPort } = require('node:worker_threads');
  const { packagePath, tinyPath, slowPath } = workerData ?? JSON.parse(process.env.NEOX_TEST_DATA);
  const neox = require(packagePath);
  const greedy = { eosTokenId: null, temperature: 0 };
  const longPrompt = Array.from({ length: 480 }, (_, index) => (index * 7919 + 13) % 2560);
  async function forever() {
    const model = await neox.Model.load(slowPath);
    for (;;) await model.generate(longPrompt, { ...greedy, maxNewTokens: 20 }).result();
  }
`;
const data = () => ({ packagePath, tinyPath, slowPath: slow.path });

function startWorker(code: string): Worker {
  return new Worker(`${prelude}\n(async () => {${code}})();`, { eval: true, workerData: data() });
}

function message(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

interface Ending {
  code: number | null;
  signal: string | null;
  output: string;
}

function runProcess(code: string): Promise<Ending> {
  const env = { ...process.env, NEOX_TEST_DATA: JSON.stringify(data()) };
  const child = spawn(process.execPath, ['-e', `${prelude}\n(async () => {${code}})();`], {
    env,
    timeout: 60_000,
  });
  let output = '';
  child.stdout.on('data', (text) => {
    output += text;
  });
  child.stderr.on('data', (text) => {
    output += text;
  });
  return new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, output }));
  });
}

test('four workers and the main thread give the same ids', async () => {
  const code = `
    const model = await neox.Model.load(tinyPath);
    const { tokenIds } = await model.generate([5, 6, 7], { ...greedy, maxNewTokens: 60 }).result();
    await model.dispose();
    parentPort.postMessage(tokenIds);`;
  const workers = Array.from({ length: 4 }, () => startWorker(code));
  const got = await Promise.all(workers.map(message));
  const model = await Model.load(tinyPath);
  const { tokenIds } = await model
    .generate([5, 6, 7], { eosTokenId: null, temperature: 0, maxNewTokens: 60 })
    .result();
  await model.dispose();
  for (const ids of got) expect(ids).toEqual(tokenIds);
  await Promise.all(workers.map((worker) => worker.terminate()));
});

test('a worker that disposes nothing ends by itself', async () => {
  const worker = startWorker(`
    const model = await neox.Model.load(tinyPath);
    await model.generate([5], { ...greedy, maxNewTokens: 5 }).result();`);
  const code = await new Promise((resolve) => worker.once('exit', resolve));
  expect(code).toBe(0);
});

test('terminate() at any moment harms nobody', async () => {
  for (let round = 0; round < 12; round++) {
    const worker = startWorker(`
      parentPort.postMessage('begun');
      await forever();`);
    worker.on('error', () => undefined);
    await message(worker);
    await new Promise((resolve) => setTimeout(resolve, round * 15));
    const begin = performance.now();
    await worker.terminate();
    expect(performance.now() - begin).toBeLessThan(2000);
  }
  const model = await Model.load(tinyPath);
  expect((await model.logits([1])).data).toHaveLength(128);
  await model.dispose();
}, 60_000);

test.each([
  ['exit() while generating', 'forever(); setTimeout(() => process.exit(7), 300);', 7],
  ['exit() while loading', 'forever(); process.exit(7);', 7],
  [
    'exit() while a job runs',
    "neox.synth(slowPath + '.other', { shape: 'small', tokenizer: false }); setTimeout(() => process.exit(7), 60);",
    7,
  ],
  [
    'an uncaught error while generating',
    "process.on('uncaughtException', () => process.exit(3)); forever(); setTimeout(() => { throw new Error('x'); }, 300);",
    3,
  ],
  ['an idle model does not hold the process', 'await neox.Model.load(tinyPath);', 0],
  [
    'a generation that nobody reads does not hold the process',
    'const model = await neox.Model.load(tinyPath); const iterator = model.generate([1], { ...greedy, maxNewTokens: 250 })[Symbol.asyncIterator](); await iterator.next();',
    0,
  ],
  [
    'a disposed model does not hold the process',
    'const model = await neox.Model.load(tinyPath); await model.dispose();',
    0,
  ],
  [
    'workers that still generate when the main thread ends',
    `
    const { Worker } = require('node:worker_threads');
    for (let i = 0; i < 2; i++) new Worker(${JSON.stringify(`${prelude} forever();`)}, { eval: true, workerData: { packagePath, tinyPath, slowPath } });
    setTimeout(() => process.exit(7), 400);`,
    7,
  ],
])(
  '%s',
  async (_, code, expected) => {
    const { code: exitCode, signal, output } = await runProcess(code);
    expect({ exitCode, signal, output }).toEqual({ exitCode: expected, signal: null, output: '' });
  },
  60_000,
);

test('a pending generation holds the process until it is read', async () => {
  const { output, code } = await runProcess(`
    const model = await neox.Model.load(slowPath);
    const { tokenIds } = await model.generate(longPrompt, { ...greedy, maxNewTokens: 20 }).result();
    console.log(tokenIds.length);`);
  expect({ output, code }).toEqual({ output: '20\n', code: 0 });
}, 60_000);

test('models that are dropped without dispose are collected, engine and all', async () => {
  const { output } = await runProcess(`
    require('node:v8').setFlagsFromString('--expose-gc');
    const gc = require('node:vm').runInNewContext('gc');
    for (let i = 0; i < 20; i++) {
      const model = await neox.Model.load(tinyPath);
      model.createSession();
      const iterator = model.generate([1, 2], greedy)[Symbol.asyncIterator]();
      await iterator.next();
    }
    for (let i = 0; i < 5; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 50)); }
    const fs = require('node:fs');
    const threads = process.platform === 'linux' ? fs.readdirSync('/proc/self/task').length : 0;
    console.log(threads < 30 ? 'collected' : threads);`);
  expect(output).toBe('collected\n');
}, 60_000);

test.each([
  ['a second load in one process', 'require(packagePath)'],
  [
    'a load in a fresh context',
    "require('node:vm').runInNewContext('load(path)', { load: require, path: packagePath })",
  ],
])(
  '%s has an environment of its own',
  async (_, load) => {
    const { output, code } = await runProcess(`
    const forget = () => { for (const key of Object.keys(require.cache)) delete require.cache[key]; };
    const ids = async (package) => {
      const model = await package.Model.load(tinyPath);
      const { tokenIds } = await model.generate([5], { ...greedy, maxNewTokens: 5 }).result();
      return [model, String(tokenIds)];
    };
    const [first, before] = await ids(neox);
    for (let i = 0; i < 3; i++) {
      forget();
      const other = ${load};
      const [second, after] = await ids(other);
      const codes = await Promise.all([other.verify('none'), neox.verify('none')].map((job) => job.catch(({ code }) => code)));
      console.log(other.Model !== neox.Model, before === after, String(codes));
      await second.dispose();
    }
    const { tokenIds } = await first.generate([5], { ...greedy, maxNewTokens: 5 }).result();
    console.log(String(tokenIds) === before);`);
    const line = 'true true ERR_NEOX_FILE_NOT_FOUND,ERR_NEOX_FILE_NOT_FOUND\n';
    expect({ output, code }).toEqual({ output: `${line.repeat(3)}true\n`, code: 0 });
  },
  60_000,
);

test('a load after a worker has ended, and in a worker after another', async () => {
  const { output, code } = await runProcess(`
    const { Worker } = require('node:worker_threads');
    const program = ${JSON.stringify(`${prelude} (async () => { const model = await neox.Model.load(tinyPath); await model.generate([5], { ...greedy, maxNewTokens: 5 }).result(); })();`)};
    const workerData = { packagePath, tinyPath, slowPath };
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(program, { eval: true, workerData });
      console.log(await new Promise((resolve) => worker.once('exit', resolve)));
      const model = await neox.Model.load(tinyPath);
      await model.dispose();
    }`);
  expect({ output, code }).toEqual({ output: '0\n0\n0\n', code: 0 });
}, 60_000);

// With a tenth of the weights, and so with a tenth of the pressure, there are 85 threads at a time.
test('models that are dropped are collected in time, because V8 knows of their memory', async () => {
  const { output, code } = await runProcess(`
    const { readdirSync } = require('node:fs');
    const most = { threads: 0 };
    for (let i = 0; i < 150; i++) {
      await neox.Model.load(slowPath, { threads: 1 });
      if (process.platform === 'linux') most.threads = Math.max(most.threads, readdirSync('/proc/self/task').length);
    }
    console.log(most.threads < 50 ? 'in time' : most.threads);`);
  expect({ output, code }).toEqual({ output: 'in time\n', code: 0 });
}, 60_000);
