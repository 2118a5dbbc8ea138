// Runs the kernels' tests under qemu, on processors that this machine is not: those of 64-bit ARM that have and lack dot
// products and i8mm, for which Debian's cross compiler builds the kernels with their tests; and those of x86-64 without
// AVX-512 and without AVX. What is missing of the tools is said and left out, but in CI on Debian, where it is installed.
//
//   node scripts/check_processors.mjs [--all]      --all: every test on every processor, some minutes

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { nativeTestPath } from './build.mjs';
import { cacheDir, firstLine, isMain, root, runLogged, runMain, StepError, step } from './steps.mjs';
import { aptInstall, canInstall } from './tools.mjs';

const armBuild = join(cacheDir, 'build-arm');
const timeLimitMs = { chosen: 60_000, all: 900_000 };

// A test compares all sets of a processor, so a smaller one only has to show which sets are chosen and that these need
// nothing that is not there.
const few = ['kernels_dispatch', 'kernels_matmul_full_scale'];
// Quick enough for every run.
const many = [
  ...few,
  ...['kernels_kv', 'kernels_quantize', 'kernels_layer_norm', 'kernels_rope', 'kernels_gelu', 'kernels_bias'],
  ...['kernels_argmax', 'kernels_log_sum_exp', 'kernels_measuring', 'kernels_half', 'kernels_attention'],
  ...['kernels_matmul_token_counts', 'kernels_matmul_extreme_codes', 'kernels_matmul_epilogue'],
  ...['kernels_matmul_nan', 'quantize_rows_depends_on_the_row_alone'],
];
const kinds = [
  {
    name: 'ARM',
    tools: { 'aarch64-linux-gnu-g++': 'g++-aarch64-linux-gnu', 'qemu-aarch64': 'qemu-user' },
    emulator: 'qemu-aarch64',
    program: join(armBuild, 'bin', 'neox_kernel_test'),
    prepare: compileForArm,
    processors: [
      { name: 'max', sets: ['neoni8mm', 'neondot', 'neon', 'scalar'], words: many },
      { name: 'neoverse-n1', sets: ['neondot', 'neon', 'scalar'], words: few },
      { name: 'cortex-a53', sets: ['neon', 'scalar'], words: few },
    ],
  },
  {
    name: 'x86-64',
    tools: { 'qemu-x86_64': 'qemu-user' },
    emulator: 'qemu-x86_64',
    program: nativeTestPath,
    prepare: () => {},
    processors: [
      { name: 'Haswell', sets: ['avx2', 'scalar'], words: few },
      { name: 'Nehalem', sets: ['scalar'], words: few },
    ],
  },
];

/** The reasons for which something was skipped, or null when all tests ran and passed. @throws StepError */
export async function checkProcessors({ all = false } = {}) {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'tried on x86-64 Linux only';
  const missing = kinds.flatMap(missingPackages);
  if (missing.length > 0 && process.env.CI === 'true' && canInstall()) {
    await step(`installing ${missing.join(', ')}`, () => aptInstall(missing));
  }
  const skipped = [];
  for (const kind of kinds) {
    const packages = missingPackages(kind);
    if (packages.length > 0) {
      skipped.push(`${kind.name}: ${packages.join(', ')} not installed (on Debian: apt-get install)`);
      continue;
    }
    await kind.prepare();
    if (!existsSync(kind.program)) throw new StepError(`${kind.program} is not built. Run npm test.`);
    for (const processor of kind.processors) {
      const label = `testing the kernels on ${processor.name} (${kind.name}, emulated)`;
      await step(label, () => testOn(kind, processor, all));
    }
  }
  return skipped.length > 0 ? skipped.join('; ') : null;
}

/** Compiles the kernels with their tests for 64-bit ARM. */
export async function compileForArm() {
  await step('compiling the kernels for ARM', () => {
    const toolchain = `-DCMAKE_TOOLCHAIN_FILE=${join(root, 'cmake', 'aarch64-linux-gnu.cmake')}`;
    runLogged('arm', 'cmake', ['-S', root, '-B', armBuild, toolchain, '-DNEOX_ADDON=OFF']);
    const target = ['--build', armBuild, '--target', 'neox_kernel_test'];
    runLogged('arm', 'cmake', [...target, '--parallel', String(availableParallelism())], { append: true });
  });
}

function testOn(kind, { name, sets, words }, all) {
  const found = emulate(kind, name, ['--list-isa'], 10_000).stdout.split('\n').filter(Boolean);
  if (found.join() !== sets.join()) throw new StepError(`${name} offers "${found}", not "${sets}".`);
  const done = emulate(kind, name, all ? [] : words, all ? timeLimitMs.all : timeLimitMs.chosen);
  if (done.status === 0) return;
  const failures = done.stdout.split('\n').filter((line) => line.startsWith('FAIL'));
  const cause = done.error?.message ?? done.signal ?? `exit code ${done.status}`;
  throw new StepError([`${name}: ${cause}`, ...failures, done.stderr].join('\n'));
}

function emulate({ emulator, program }, processor, args, timeout) {
  const env = { ...process.env, NEOX_FORCE_ISA: '' };
  return spawnSync(emulator, ['-cpu', processor, program, ...args], { encoding: 'utf8', env, timeout });
}

function missingPackages({ tools }) {
  const missing = Object.keys(tools).filter((name) => !firstLine(name));
  return missing.map((name) => tools[name]);
}

if (isMain(import.meta.url)) {
  await runMain(async (argv) => {
    const reason = await checkProcessors({ all: argv.includes('--all') });
    if (reason) process.stderr.write(`neox: skipped: ${reason}\n`);
  });
}
