// What JavaScript costs, and what a model costs JavaScript:
//
//   node test/bench/binding.mjs [--short] [--threads 1,2]
//
// Overhead: the time of a call read by `for await`, chunks and text included, above that of the native loop: the same call,
// submitted to the same engine, with a ring that holds all of its tokens, so that the engine never waits and nothing is read
// before the end; its time is the engine's own, from submission to the last token. Both are medians of interleaved runs, for
// one token of one sequence and of eight at once. Beside it, the time that the JavaScript thread was busy for a token.
// Event-loop delay: of a timer of 1 ms, while nothing runs, while a model loads, in a long prompt, and while it generates.
// Busy threads of the engine take the processor from JavaScript's where there are no more cores than they: so with
// `threads` 1 and 2. --short: the demo model on one thread alone, in seconds.

import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { demoModelPath, Model, synth } from 'gpt-neox';

const { native } = createRequire(import.meta.url)('../../dist/native.js');
const PROMPT = [5, 6, 7, 8];
const print = (...lines) => process.stdout.write(`${lines.join('\n')}\n`);
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

function greedy(tokens) {
  return { temperature: 0, eosTokenId: null, maxNewTokens: tokens, promptLookupNumTokens: 0 };
}

// Milliseconds of the engine for `sequences` calls at once; `expected` tells when to look.
async function nativeRun(model, { sequences, tokens }, expected) {
  const calls = Array.from({ length: sequences }, () =>
    model.submit({
      prompt: [{ ids: Int32Array.from(PROMPT) }],
      maxNewTokens: tokens,
      ringCapacity: tokens,
      draftTokens: 0,
      sampler: { doSample: false, eosTokenId: new Int32Array() },
    }),
  );
  await sleep(1.3 * expected + 20);
  const drained = calls.map((call) => call.drain());
  for (const call of calls) call.release();
  // A look before the end has emptied the rings, so the engine did not run alone: once more, later.
  if (drained.some((news) => news?.ids.length !== tokens))
    return nativeRun(model, { sequences, tokens }, 2 * expected);
  return Math.max(...drained.map(({ timings }) => timings.queueMs + timings.prefillMs + timings.decodeMs));
}

async function scriptRun(model, { sequences, tokens }) {
  const before = performance.eventLoopUtilization();
  const begin = performance.now();
  let length = 0;
  await Promise.all(
    Array.from({ length: sequences }, async () => {
      for await (const chunk of model.generate(PROMPT, greedy(tokens))) length += chunk.text.length;
    }),
  );
  const ms = performance.now() - begin;
  const { active } = performance.eventLoopUtilization(before);
  if (length === 0) throw new Error('no text came');
  return { ms, active };
}

async function overhead(name, path, { threads, rounds, tokens }) {
  const options = { threads, maxSequences: 8 };
  const model = await Model.load(path, options);
  const { promise } = native().loadModel(path, options);
  const bare = await promise;
  for (const sequences of [1, 8]) {
    const plan = { sequences, tokens };
    const runs = { native: [], script: [], active: [] };
    let { ms: expected } = await scriptRun(model, plan);
    for (let round = 0; round < rounds; round++) {
      const { ms, active } = await scriptRun(model, plan);
      expected = Math.max(expected, ms);
      runs.script.push(ms);
      runs.active.push(active);
      runs.native.push(await nativeRun(bare, plan, expected));
    }
    const perToken = (values) => ((1000 * median(values)) / (sequences * tokens)).toFixed(1).padStart(8);
    const difference = runs.script.map((ms, round) => ms - runs.native[round]);
    const cells = [name.padEnd(14), threads, String(sequences).padStart(9)];
    print(
      [
        ...cells,
        perToken(runs.native),
        perToken(runs.script),
        perToken(difference),
        perToken(runs.active),
      ].join('  '),
    );
  }
  await bare.dispose();
  await model.dispose();
}

async function delay(label, work) {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  // What set this up is not part of it.
  await sleep(20);
  histogram.enable();
  await work();
  histogram.disable();
  const ms = (value) => (value / 1e6).toFixed(2).padStart(8);
  const { count, max } = histogram;
  const cells = [label.padEnd(30), ms(histogram.percentile(50)), ms(histogram.percentile(99)), ms(max)];
  print([...cells, String(count).padStart(8)].join('  '));
}

async function delays(name, path, { threads, seconds }) {
  const of = (what) => `${name}, ${threads} thread${threads > 1 ? 's' : ''}: ${what}`;
  let model;
  await delay(of('load'), async () => {
    model = await Model.load(path, { threads, maxSequences: 8 });
  });
  const room = model.info.contextLength - 2;
  const ids = Array.from({ length: Math.min(room, 1000) }, (_, index) => 5 + (index % 1000));
  await delay(of(`prompt of ${ids.length}`), () => model.generate(ids, greedy(1)).result());
  for (const sequences of [1, 8]) {
    await delay(of(`generate, ${sequences} at once`), async () => {
      const end = performance.now() + 1000 * seconds;
      const read = async () => {
        while (performance.now() < end) {
          for await (const _ of model.generate(PROMPT, greedy(500))) if (performance.now() > end) break;
        }
      };
      await Promise.all(Array.from({ length: sequences }, read));
    });
  }
  await model.dispose();
}

const { values } = parseArgs({
  options: { short: { type: 'boolean', default: false }, threads: { type: 'string' } },
});
const threads = (values.threads ?? (values.short ? '1' : '1,2')).split(',').map(Number);
const folder = mkdtempSync(join(tmpdir(), 'neox-binding-'));
try {
  const models = [['demo', demoModelPath()]];
  for (const shape of values.short ? [] : ['tiny', 'pythia-410m']) {
    models.push([shape, join(folder, `${shape}.gguf`)]);
    await synth(models.at(-1)[1], { shape });
  }
  const cpu = cpus()[0]?.model ?? 'unknown processor';
  print(`Node ${process.versions.node}, ${availableParallelism()} cores of ${cpu}`, '');
  print('microseconds a token', 'model       threads  sequences    native  for await   above  JS busy');
  const plan = values.short ? { rounds: 5, tokens: 128 } : { rounds: 9, tokens: 400 };
  for (const [name, path] of models.slice(0, 2)) {
    for (const count of threads) await overhead(name, path, { threads: count, ...plan });
  }
  print('', 'event-loop delay, ms', `${''.padEnd(30)}       p50       p99       max   samples`);
  const seconds = values.short ? 1 : 3;
  await delay('idle', () => sleep(1000 * seconds));
  for (const [name, path] of models.filter(([each]) => each !== 'tiny')) {
    for (const count of threads) await delays(name, path, { threads: count, seconds });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
