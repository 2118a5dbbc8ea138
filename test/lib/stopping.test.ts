// An AbortSignal on every call that may take long, and `using` on everything that is disposed of.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import { createNeox } from '../../lib/ai-sdk/index.js';
import * as neox from '../../lib/index.js';
import { findLongPrompt, loadSlowModel, makeSlowModelFile } from '../integration/slow-model.js';

const { demoModelPath, DisposedError, Model } = neox;
const folder = mkdtempSync(join(tmpdir(), 'neox-stopping-'));
const output = join(folder, 'output');
const path = demoModelPath();
const ids = Array.from({ length: 900 }, (_, index) => 5 + (index % 1000));
let model: neox.Model;

beforeAll(async () => {
  model = await Model.load(path);
});
afterAll(async () => {
  await model.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const calls: Record<string, (options: { signal: AbortSignal }) => Promise<unknown>> = {
  'Model.load': (options) => Model.load(path, options),
  'Model.generate': async (options) => model.generate(ids, options).result(),
  'Model.chat': async (options) => model.chat([{ role: 'user', content: 'こんにちは' }], options).result(),
  'Model.logits': (options) => model.logits(ids, options),
  'Model.hiddenStates': (options) => model.hiddenStates(ids, options),
  'Model.score': (options) => model.score(ids.slice(0, 450), ids.slice(450), options),
  'Model.score of nothing': (options) => model.score(ids, [], options),
  'Model.embed': (options) => model.embed(ids, options),
  'Model.restoreSession': (options) => model.restoreSession(output, options),
  'Session.save': (options) => model.createSession().save(output, options),
  compareModels: (options) => neox.compareModels(model, model, { ids, ...options }),
  collectImportance: (options) => neox.collectImportance(path, output, { ids, ...options }),
  mergeImportance: (options) => neox.mergeImportance([output], `${output}2`, options),
  convert: (options) => neox.convert(path, output, options),
  quantize: (options) => neox.quantize(path, output, { type: 'Q4_0', allowRequantize: true, ...options }),
  synth: (options) => neox.synth(output, { shape: 'tiny', ...options }),
  verify: (options) => neox.verify(path, options),
  pull: (options) => neox.pull('rinna/any', { cacheDir: folder, ...options }),
};

test.each(Object.entries(calls))('%s rejects with the reason of its signal', async (_, call) => {
  const reason = new Error('not any more');
  await expect(call({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  await expect(call({ signal: 'no signal' as never })).rejects.toThrow(/an AbortSignal for `signal`/);
});

test('reading values off a long prompt ends in its middle', async () => {
  const file = await makeSlowModelFile();
  const slow = await loadSlowModel(file.path);
  const { prompt, prefillMs } = await findLongPrompt(slow);
  const reads: ((options: neox.ReadOptions) => Promise<unknown>)[] = [
    (options) => slow.logits(prompt, options),
    (options) => slow.hiddenStates(prompt, options),
    (options) => slow.embed(prompt, options),
  ];
  for (const read of reads) {
    const times: number[] = [];
    for (let attempt = 0; attempt < 3; attempt++) {
      const begin = performance.now();
      const signal = AbortSignal.timeout(Math.round(prefillMs / 10));
      const error = await read({ signal }).catch((caught: unknown) => caught);
      expect(error).toBe(signal.reason);
      times.push(performance.now() - begin);
    }
    expect(Math.min(...times)).toBeLessThan(prefillMs / 2);
  }
  await slow.dispose();
  file.remove();
});

// As TypeScript writes `using` for engines that do not know it.
const source = `
  exports.run = async ({ Model, createNeox, path, seen }) => {
    await using provider = createNeox();
    await using model = await Model.load(path);
    using session = model.createSession();
    await using fork = session.fork();
    seen.push(provider, model, session, fork);
    await session.generate('猫は', { maxNewTokens: 2 }).result();
  };
`;

test('`using` and `await using` dispose of everything at the end of the block', async () => {
  const options = { module: ModuleKind.CommonJS, target: ScriptTarget.ES2022 };
  const compiled = transpileModule(source, { compilerOptions: options }).outputText;
  const module: { run?: (given: object) => Promise<void> } = {};
  new Function('exports', compiled)(module);
  const seen: never[] = [];
  await module.run?.({ Model, createNeox, path, seen });
  const [provider, used, session, fork] = seen as unknown as [
    ReturnType<typeof createNeox>,
    neox.Model,
    neox.Session,
    neox.Session,
  ];
  await expect(provider(path).doGenerate({ prompt: [] })).rejects.toThrow(DisposedError);
  expect(() => used.generate('猫は')).toThrow(DisposedError);
  for (const each of [session, fork]) expect(() => each.position).toThrow(DisposedError);
});
