// `npm run fuzz`: runs libFuzzer on every parser of untrusted bytes, with clang, AddressSanitizer and
// UndefinedBehaviorSanitizer. `npm test` runs the same targets through test/fuzz/driver.cpp, which needs no clang.
//
//   node scripts/fuzz.mjs [--seconds 60] [--target <parser>]... [--jobs 1] [--record]
//   node scripts/fuzz.mjs --driver [--seconds 20] [--target <parser>]... [--jobs 2] [--seed 1]
//
// --seconds are for each target. The corpus stays in .cache/fuzz and grows from run to run; --record adds the run to
// test/fuzz/figures.json and to the table of docs/reliability.md. An input that fails is kept in .cache/fuzz/crashes.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { cmakeDir } from './build.mjs';
import { record } from './fuzz_figures.mjs';
import { fixturesDir, fuzzTargets } from './fuzz_targets.mjs';
import { obtainSentencepiece } from './sentencepiece.mjs';
import { cacheDir, isMain, root, runLogged, runMain, StepError, step } from './steps.mjs';
import { ensureFuzzTools } from './tools.mjs';

const fuzzDir = join(cacheDir, 'fuzz');
const crashDir = join(fuzzDir, 'crashes');
const buildDir = (engine) => join(fuzzDir, `build-${engine}`);
const program = (engine, parser) => join(buildDir(engine), 'bin', `fuzz_${parser}`);

/** Builds the targets for `engine`, "driver" or "libfuzzer". */
export function buildFuzzers(engine) {
  const env = engine === 'libfuzzer' ? { ...process.env, CC: 'clang', CXX: 'clang++' } : process.env;
  const dir = buildDir(engine);
  // The driver runs in every `npm test`, so it takes the sentencepiece of the addon's build, without its own sanitizers.
  const library = join(cmakeDir, 'sentencepiece', 'src', 'libsentencepiece.a');
  const definitions = [
    `-DNEOX_FUZZ=${engine}`,
    `-DNEOX_SP_SOURCE=${obtainSentencepiece()}`,
    `-DNEOX_SP_LIBRARY=${engine === 'driver' && existsSync(library) ? library : ''}`,
  ];
  // CMake refuses a folder that was moved.
  const stamp = join(dir, 'neox-root.txt');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== root)
    rmSync(dir, { recursive: true, force: true });
  runLogged('fuzz', 'cmake', ['-S', root, '-B', dir, ...definitions], { env });
  writeFileSync(stamp, root);
  const jobs = String(availableParallelism());
  const build = ['--build', dir, '--parallel', jobs, '--target', 'neox_fuzzers'];
  runLogged('fuzz', 'cmake', build, { env, append: true });
}

/**
 * Runs each target through the driver: cuts, bit flips and edge integers of its control files, then random mutants.
 * @returns how many targets passed, and those that failed, each with the end of its output
 */
export async function runDrivers({ targets = fuzzTargets, seconds = 20, jobs = 2, seed = 1 } = {}) {
  const failures = [];
  await inParallel(targets, jobs, async ({ parser, controls, seeds, flips = 100_000 }) => {
    const files = [...controls, ...seeds].map((name) => join(fixturesDir, name));
    const numbers = { seconds, seed, flips };
    const args = Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const { status, output } = await run(program('driver', parser), [...args, ...files]);
    const lines = output.trimEnd().split('\n');
    if (status !== 0) failures.push({ parser, output: lines.slice(-40).join('\n') });
    const said = lines.filter((line) => line.startsWith('seed ') || line.startsWith('fuzz: ')).join('; ');
    process.stderr.write(`neox: fuzz ${parser}: ${status === 0 ? said : 'FAILED'}\n`);
  });
  return { passed: targets.length - failures.length, failures };
}

async function runLibFuzzer({ targets, seconds, jobs }) {
  const runs = [];
  await inParallel(targets, jobs, async ({ parser, controls, seeds }) => {
    const corpus = join(fuzzDir, 'corpus', parser);
    mkdirSync(corpus, { recursive: true });
    // A file is no corpus for libFuzzer, only a folder is: the folders of the controls hold the controls.
    const folders = [...controls, ...seeds].filter((name) => !/\.\w+$/.test(name));
    const limits = ['-max_len=65536', '-timeout=10', '-rss_limit_mb=1024', '-malloc_limit_mb=64'];
    const args = [`-max_total_time=${seconds}`, ...limits, `-artifact_prefix=${crashDir}/${parser}-`];
    const { status, output } = await run(program('libfuzzer', parser), [
      ...args,
      corpus,
      ...folders.map((name) => join(fixturesDir, name)),
    ]);
    const result = { parser, status, ...readOutput(output, seconds) };
    runs.push(result);
    const { inputs, cpuSeconds, coverage } = result;
    const text = `${inputs} inputs, ${cpuSeconds.toFixed(0)} s of processor time, ${coverage} edges`;
    process.stderr.write(`neox: fuzz ${parser}: ${status === 0 ? text : 'FAILED'}\n`);
    if (status !== 0) process.stderr.write(`${output.split('\n').slice(-60).join('\n')}\n`);
  });
  return runs;
}

/** The figures that a target and libFuzzer print; a run that failed prints no totals, and its time stands for them. */
function readOutput(output, seconds) {
  const totals = output.match(
    /^fuzz: inputs (\d+) cpu_seconds ([\d.]+) peak_bytes (\d+) slowest_ms ([\d.]+)/m,
  );
  const states = [...output.matchAll(/^#(\d+)\s.*? cov: (\d+) ft: (\d+)/gm)];
  const last = states.at(-1);
  return {
    inputs: Number(totals?.[1] ?? last?.[1] ?? 0),
    cpuSeconds: Number(totals?.[2] ?? (last ? seconds : 0)),
    peakBytes: Number(totals?.[3] ?? 0),
    slowestMs: Number(totals?.[4] ?? 0),
    coverage: Number(last?.[2] ?? 0),
  };
}

async function inParallel(items, jobs, work) {
  mkdirSync(crashDir, { recursive: true });
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: jobs }, worker));
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ASAN_OPTIONS: 'quarantine_size_mb=16' };
    const child = spawn(command, args, { cwd: crashDir, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output = (output + text).slice(-1_000_000);
      });
    }
    child.on('error', reject).on('close', (status) => resolve({ status, output }));
  });
}

function chosenTargets(names = fuzzTargets.map((target) => target.parser)) {
  return names.map((name) => {
    const target = fuzzTargets.find((each) => each.parser === name);
    if (target) return target;
    throw new StepError(
      `There is no target '${name}'; there are ${fuzzTargets.map((each) => each.parser).join(', ')}.`,
    );
  });
}

async function main(argv) {
  const text = { type: 'string' };
  const flag = { type: 'boolean', default: false };
  const { values } = parseArgs({
    args: argv,
    options: {
      seconds: text,
      target: { type: 'string', multiple: true },
      jobs: text,
      seed: text,
      driver: flag,
      record: flag,
    },
  });
  const targets = chosenTargets(values.target);
  const engine = values.driver ? 'driver' : 'libfuzzer';
  const seconds = Number(values.seconds ?? (values.driver ? 20 : 60));
  const jobs = Number(values.jobs ?? (values.driver ? 2 : 1));
  await ensureFuzzTools(engine);
  await step(`building the fuzz targets (${engine})`, () => buildFuzzers(engine));
  if (values.driver) {
    const { failures } = await runDrivers({ targets, seconds, jobs, seed: Number(values.seed ?? 1) });
    for (const { parser, output } of failures) process.stderr.write(`${parser}\n${output}\n`);
    return failures.length > 0 ? 1 : 0;
  }
  const runs = await runLibFuzzer({ targets, seconds, jobs });
  if (values.record) record(runs);
  const failed = runs.filter((each) => each.status !== 0);
  if (failed.length > 0) process.stderr.write(`The inputs are in ${relative(root, crashDir)}.\n`);
  return failed.length > 0 ? 1 : 0;
}

if (isMain(import.meta.url)) await runMain(main);
