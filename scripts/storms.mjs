// `npm run storms`: the storms of test/storms, each in a process of its own, which must end by itself with exit code 0,
// nothing on stderr and its memory and threads where they were.
//
//   node scripts/storms.mjs [--long | --asan] [--storm <name>]... [--count <n>] [--seed <n>] [--built]
//   node scripts/storms.mjs --tsan [--count <n>] [--seed <n>]    the engine and the channel alone, with ThreadSanitizer
//
// --asan: with AddressSanitizer and UndefinedBehaviorSanitizer in the addon. Counts are those of STORMS below unless --count
// says otherwise. --built takes what is built already, as a test must. Without --seed each run draws one; it is printed.

import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { addonPath, buildNative, cliPath } from './build.mjs';
import { setup } from './setup.mjs';
import { cacheDir, isMain, root, runLogged, runMain, StepError, step, UsageError } from './steps.mjs';
import { sanitizerProblem } from './tools.mjs';

/** How many rounds a storm has: in `npm test`, at length, and under AddressSanitizer. */
export const STORMS = {
  abort: { short: 150, long: 10_000, asan: 500 },
  dispose: { short: 80, long: 10_000, asan: 500 },
  terminate: { short: 10, long: 1_000, asan: 500 },
  exit: { short: 10, long: 1_000, asan: 500 },
  gc: { short: 32, long: 2_000, asan: 500 },
  abandon: { short: 32, long: 2_000, asan: 500 },
  busy: { short: 60, long: 5_000, asan: 500 },
  stall: { short: 40, long: 5_000, asan: 500 },
  workers: { short: 8, long: 1_000, asan: 500 },
  load: { short: 60, long: 5_000, asan: 500 },
  jobs: { short: 40, long: 5_000, asan: 500 },
};

const MOST_GROWTH = 0.05;
// After a warm-up of seconds memory has not settled yet: what a short storm must not do is to grow with its rounds.
const SHORT_GROWTH_BYTES = 24 * 2 ** 20;
const SHORT_LIMIT_MS = 30_000;
const folderOf = (kind) => join(cacheDir, 'storms', kind);

/** The models that the storms use, in a folder that `remove` takes away. */
export async function makeModels() {
  const folder = mkdtempSync(join(tmpdir(), 'neox-storms-'));
  const neox = createRequire(import.meta.url)(join(root, 'dist', 'index.js'));
  const gguf = join(folder, 'tiny.gguf');
  await neox.synth(gguf, { shape: 'tiny', type: 'Q8_0' });
  const checkpoint = join(root, 'test', 'fixtures', 'checkpoints', 'sequential-erf');
  return { folder, gguf, checkpoint, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Runs one storm. `problems` is empty when all is well. */
export async function runStorm(name, { models, count, seed, addon = addonPath, env = {}, isSlow = false }) {
  const { remove: _, ...files } = models;
  const isShort = count <= STORMS[name].short;
  const settings = {
    ...files,
    isShort,
    count,
    seed,
    addon,
    isSlow,
    cli: cliPath,
    package: join(root, 'dist', 'index.js'),
  };
  const program = join(root, 'test', 'storms', `${name}.mjs`);
  // The young generation otherwise takes 1 to 32 MiB, as the moment wants it.
  const flags = ['--expose-gc', '--max-semi-space-size=1'];
  const child = spawn(process.execPath, [...flags, program, JSON.stringify(settings)], {
    env: { ...process.env, ...env },
    timeout: isShort && !isSlow ? SHORT_LIMIT_MS : 60_000 + 2_000 * count,
    killSignal: 'SIGKILL',
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const [code, signal] = await new Promise((resolve) => child.on('close', (...by) => resolve(by)));
  const problems = [];
  if (signal !== null)
    problems.push(`ended by ${signal}${child.killed ? ', as it did not end by itself' : ''}`);
  else if (code !== 0) problems.push(`exit code ${code}`);
  if (stderr !== '') problems.push(stderr.trimEnd());
  let report;
  try {
    report = JSON.parse(stdout);
  } catch {
    problems.push(`no report on stdout, but ${JSON.stringify(stdout)}`);
    return { name, count, seed, problems };
  }
  const growth = report.after.rss / report.before.rss - 1;
  const allowed = isShort ? SHORT_GROWTH_BYTES : MOST_GROWTH * report.before.rss;
  if (report.after.rss - report.before.rss > allowed && !isSlow)
    problems.push(`resident memory grew by ${(100 * growth).toFixed(1)} %, more than is allowed`);
  if (report.after.threads > report.before.threads + 1)
    problems.push(`${report.after.threads} threads where there were ${report.before.threads}`);
  return { name, seed, problems, growth, ...report };
}

/** One line about a storm, or several where it failed. */
export function describe({ name, count, seed, problems, growth, seconds, before, after, ...more }) {
  const mib = (bytes) => (bytes / 2 ** 20).toFixed(1);
  const measured =
    seconds === undefined
      ? []
      : [
          `${seconds.toFixed(1)} s`,
          `${mib(before.rss)} -> ${mib(after.rss)} MiB (${growth >= 0 ? '+' : ''}${(100 * growth).toFixed(1)} %)`,
          `${before.threads} -> ${after.threads} threads`,
          ...Object.entries(more).map(([key, value]) => `${key} ${Math.round(100 * value) / 100}`),
        ];
  const line = [`${name} ${count}`, `seed ${seed}`, ...measured].join(', ');
  return problems.length === 0 ? `ok ${line}` : `FAILED ${line}\n${problems.join('\n')}`;
}

/** The addon with sanitizers, and the environment in which Node can load it. */
async function sanitized() {
  const problem = sanitizerProblem();
  if (problem !== null) throw new StepError(`storms: ${problem}.`);
  const folder = folderOf('asan');
  const out = join(folder, 'package', 'build', 'Release');
  mkdirSync(out, { recursive: true });
  await step('building the addon with sanitizers', () =>
    buildNative({
      out,
      folder: join(folder, 'build'),
      definitions: { NEOX_SANITIZE: 'address', NEOX_TESTS: 'OFF' },
    }),
  );
  const library = spawnSync(process.env.CXX ?? 'c++', ['-print-file-name=libasan.so'], { encoding: 'utf8' });
  const env = {
    LD_PRELOAD: library.stdout.trim(),
    // Node itself leaks at its end; the quarantine would otherwise hold all that the storms free; and 1, the exit code of a
    // report by default, is also that of an error which nobody catches.
    ASAN_OPTIONS: 'detect_leaks=0:quarantine_size_mb=64:exitcode=99',
    UBSAN_OPTIONS: 'print_stacktrace=1:exitcode=99',
    GPT_NEOX_PREBUILD: join(folder, 'package'),
  };
  return { addon: join(out, 'neox.node'), env, isSlow: true };
}

/** Builds the program with ThreadSanitizer and runs it; its exit status. */
async function runThreads({ count = 400, seed }) {
  const folder = folderOf('tsan');
  await step('building the engine with ThreadSanitizer', () => {
    runLogged('tsan', 'cmake', ['-S', root, '-B', folder, '-DNEOX_SANITIZE=thread']);
    runLogged('tsan', 'cmake', ['--build', folder, '--parallel', '2', '--target', 'neox_engine_storm'], {
      append: true,
    });
  });
  // Its shadow memory leaves no room for addresses drawn from too wide a range.
  const program = [join(folder, 'bin', 'neox_engine_storm'), String(count), String(seed)];
  const command = spawnSync('setarch', ['-R', 'true']).status === 0 ? ['setarch', '-R', ...program] : program;
  const env = { ...process.env, TSAN_OPTIONS: 'halt_on_error=0:exitcode=66' };
  return spawnSync(command[0], command.slice(1), { stdio: 'inherit', env }).status ?? 1;
}

async function main(argv) {
  const flag = { type: 'boolean' };
  const options = {
    ...{
      long: flag,
      asan: flag,
      tsan: flag,
      built: flag,
      count: { type: 'string' },
      seed: { type: 'string' },
    },
    storm: { type: 'string', multiple: true },
  };
  let values;
  try {
    ({ values } = parseArgs({ args: argv, options }));
  } catch (error) {
    throw new UsageError(`storms: ${error.message}`);
  }
  if (values.long && values.asan)
    throw new UsageError('storms: --asan has counts of its own: leave out --long.');
  const dropped = ['long', 'asan', 'built', 'storm'].find((name) => values[name] !== undefined);
  if (values.tsan && dropped)
    throw new UsageError(`storms: --tsan takes --count and --seed, not --${dropped}.`);
  const [count, seed] = [values.count, values.seed].map((text) =>
    text === undefined ? undefined : Number(text),
  );
  for (const value of [count, seed])
    if (value !== undefined && !(Number.isInteger(value) && value > 0))
      throw new UsageError('storms: --count and --seed take positive integers.');
  const names = values.storm ?? Object.keys(STORMS);
  const unknown = names.find((name) => !Object.hasOwn(STORMS, name));
  if (unknown)
    throw new UsageError(`storms: no storm ${unknown}; there are ${Object.keys(STORMS).join(', ')}.`);
  const drawn = seed ?? 1 + Math.floor(Math.random() * 1e6);
  if (values.tsan) return runThreads({ count, seed: drawn });

  if (!values.built) await setup();
  const how = values.asan ? await sanitized() : {};
  const kind = values.asan ? 'asan' : values.long ? 'long' : 'short';
  const models = await makeModels();
  let failures = 0;
  try {
    for (const name of names) {
      const result = await runStorm(name, {
        ...how,
        models,
        seed: drawn,
        count: count ?? STORMS[name][kind],
      });
      if (result.problems.length > 0) failures++;
      console.log(describe(result));
    }
  } finally {
    models.remove();
  }
  return failures === 0 ? 0 : 1;
}

if (isMain(import.meta.url)) await runMain(main);
