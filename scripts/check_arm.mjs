// Compiles the kernels and their tests for 64-bit ARM Linux with Debian's cross compiler and runs them under qemu, on
// processors that have and lack dot products and i8mm. Without the tools the check is skipped, except in CI on Debian,
// where they are installed.
//
//   node scripts/check_arm.mjs [--all]      --all: every test on every processor, some minutes

import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { cacheDir, firstLine, isMain, root, runLogged, runMain, StepError, step } from './steps.mjs';
import { aptInstall, canInstall } from './tools.mjs';

const tools = { 'aarch64-linux-gnu-g++': 'g++-aarch64-linux-gnu', 'qemu-aarch64': 'qemu-user' };
const timeLimitMs = { chosen: 60_000, all: 900_000 };

// What each processor must offer, and the tests that are quick enough for every run. A test compares all sets of the
// processor, so the others only have to show that a smaller set is chosen and needs nothing that is not there.
const processors = [
  {
    name: 'max',
    sets: ['neoni8mm', 'neondot', 'neon', 'scalar'],
    words: [
      ...[
        'kernels_kv',
        'kernels_quantize',
        'kernels_layer_norm',
        'kernels_rope',
        'kernels_gelu',
        'kernels_bias',
      ],
      ...[
        'kernels_argmax',
        'kernels_log_sum_exp',
        'kernels_matmul_token_counts',
        'kernels_matmul_extreme_codes',
      ],
      ...['kernels_matmul_full_scale', 'kernels_matmul_epilogue', 'kernels_matmul_nan', 'kernels_dispatch'],
      ...['kernels_attention', 'kernels_half', 'quantize_rows_depends_on_the_row_alone'],
    ],
  },
  {
    name: 'neoverse-n1',
    sets: ['neondot', 'neon', 'scalar'],
    words: ['kernels_dispatch', 'kernels_matmul_full_scale'],
  },
  { name: 'cortex-a53', sets: ['neon', 'scalar'], words: ['kernels_dispatch', 'kernels_matmul_full_scale'] },
];

/** The reason for which the check was skipped, or null when the tests passed. @throws StepError */
export async function checkArm({ all = false } = {}) {
  const missing = () => Object.keys(tools).filter((name) => !firstLine(name));
  const packages = missing().map((name) => tools[name]);
  if (packages.length > 0 && process.env.CI === 'true' && canInstall()) {
    await step(`installing ${packages.join(', ')}`, () => aptInstall(packages));
  }
  if (missing().length > 0) {
    return `${missing().join(' and ')} not found (on Debian: apt-get install ${packages.join(' ')})`;
  }
  const build = join(cacheDir, 'build-arm');
  await step('compiling the kernels for ARM', () => {
    const toolchain = `-DCMAKE_TOOLCHAIN_FILE=${join(root, 'cmake', 'aarch64-linux-gnu.cmake')}`;
    runLogged('arm', 'cmake', ['-S', root, '-B', build, toolchain, '-DNEOX_ADDON=OFF']);
    const target = ['--build', build, '--target', 'neox_kernel_test'];
    runLogged('arm', 'cmake', [...target, '--parallel', String(availableParallelism())], { append: true });
  });
  const program = join(build, 'bin', 'neox_kernel_test');
  for (const { name, sets, words } of processors) {
    await step(`testing the kernels on an emulated ${name}`, () => {
      const found = emulate(name, program, ['--list-isa'], 10_000).stdout.split('\n').filter(Boolean);
      if (found.join() !== sets.join()) throw new StepError(`${name} offers ${found}, not ${sets}.`);
      const end = Date.now() + (all ? timeLimitMs.all : timeLimitMs.chosen);
      for (const word of all ? [''] : words) {
        const done = emulate(name, program, [word], Math.max(end - Date.now(), 1));
        if (done.status === 0) continue;
        const failures = done.stdout.split('\n').filter((line) => line.startsWith('FAIL'));
        const cause = done.error?.message ?? done.signal ?? `exit code ${done.status}`;
        throw new StepError([`${name}, tests "${word}": ${cause}`, ...failures, done.stderr].join('\n'));
      }
    });
  }
  return null;
}

function emulate(processor, program, args, timeout) {
  const env = { ...process.env, NEOX_FORCE_ISA: '' };
  return spawnSync('qemu-aarch64', ['-cpu', processor, program, ...args], { encoding: 'utf8', env, timeout });
}

if (isMain(import.meta.url)) {
  await runMain(async (argv) => {
    const reason = await checkArm({ all: argv.includes('--all') });
    if (reason) process.stderr.write(`neox: skipped: ${reason}\n`);
  });
}
