// Every method in a worker that is terminated while it calls it again and again, beside a call that generates.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Model, synth } from '../../lib/index.js';
import { checkpointPath } from './fixtures.js';
import { methods } from './lifecycle-methods.js';

const folder = mkdtempSync(join(tmpdir(), 'neox-test-'));
const gguf = join(folder, 'tiny.gguf');
const saved = join(folder, 'saved.session');
const few = { eosTokenId: null, temperature: 0, maxNewTokens: 3 };
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const code = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { packagePath, run, files, few } = workerData;
  const neox = require(packagePath);
  const call = (0, eval)('({' + run + '})').run;
  async function make() {
    const model = await neox.Model.load(files.gguf, { chatFormat: 'rinna-bilingual', threads: 1 });
    const session = model.createSession();
    const generation = session.generate([1, 2], { ...few, maxNewTokens: 400 });
    const { tokenizer } = model;
    const stream = tokenizer.createDecodeStream();
    const sampler = new neox.Sampler({ temperature: 1, seed: 1 });
    return { neox, few, model, session, generation, tokenizer, stream, sampler, ...files };
  }
  (async () => {
    for (let isFirst = true; ; isFirst = false) {
      const subject = await make();
      const iterator = subject.model.generate([3, 4], { ...few, maxNewTokens: 400 })[Symbol.asyncIterator]();
      await iterator.next();
      if (isFirst) parentPort.postMessage('begun');
      for (let i = 0; i < 20; i++) {
        try {
          const value = call(subject);
          await (value instanceof neox.Generation ? value.result() : value);
        } catch (error) {
          if (typeof error?.code !== 'string') throw error;
        }
      }
    }
  })();`;

/** Rejects when the worker ends by itself, with an error or without, at any time. */
async function terminate(name: string, run: string, afterMs: number): Promise<void> {
  const files = { gguf, saved, checkpoint: checkpointPath('sequential-erf'), output: join(folder, 'output') };
  const packagePath = join(__dirname, '..', '..', 'dist', 'index.js');
  const worker = new Worker(code, { eval: true, workerData: { packagePath, run, files, few } });
  const errors: string[] = [];
  worker.on('error', (error) => errors.push(String(error)));
  await new Promise((resolve, reject) => {
    worker.once('exit', (exitCode) => reject(new Error(`${name}: exit code ${exitCode} ${errors}`)));
    worker.once('message', resolve);
  });
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  expect([name, await worker.terminate(), errors]).toEqual([name, 1, []]);
}

test('termination amid any method harms nobody', async () => {
  await synth(gguf, { shape: 'tiny', type: 'Q8_0' });
  const model = await Model.load(gguf);
  const session = model.createSession();
  const expected = await session.generate([1, 2, 3], few).result();
  await session.save(saved);
  const left = Object.entries(methods);
  const total = left.length;
  const lane = async (): Promise<void> => {
    for (let entry = left.shift(); entry; entry = left.shift()) {
      await terminate(entry[0], methodText(entry[1].run), (left.length * 7) % 12);
    }
  };
  await Promise.all([lane(), lane(), lane()]);
  expect(total).toBeGreaterThan(60);
  expect((await model.generate([1, 2, 3], few).result()).tokenIds).toEqual(expected.tokenIds);
  await model.dispose();
}, 60_000);

/** As a property of an object literal; the calls are arrow functions. */
function methodText(run: unknown): string {
  return `run: ${String(run)}`;
}
