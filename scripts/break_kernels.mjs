// Shows that the tests notice a kernel that does nothing: for each function of each instruction set of this machine, and
// each type that it treats, the body is taken out and the kernels' tests must fail. Prints a table and what went
// unnoticed. Takes some minutes; no part of npm test.
//
//   node scripts/break_kernels.mjs [set...]          the sets of this machine
//   node scripts/break_kernels.mjs --arm [set...]    those of an emulated ARM processor (qemu)

import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { cacheDir, isMain, runMain, StepError } from './steps.mjs';

const words = ['kernels_', 'quantize_rows_', 'importance_'];
const timeLimitMs = 120_000;

/** The rows of the table: which test noticed that `kernel` of `set` was broken, null where none did. */
export async function breakKernels({ sets = [], arm = false } = {}) {
  const run = await testProgram(arm);
  const whole = await run(words);
  if (whole.code !== 0) throw new StepError(`The tests fail as it is:\n${failure(whole.stdout)}`);
  const list = await run(['--list-kernels']);
  const kernels = list.stdout
    .split(/\r?\n/)
    .filter(Boolean)
    .map((line) => ({ set: line.slice(0, line.indexOf(' ')), kernel: line.slice(line.indexOf(' ') + 1) }))
    .filter(({ set }) => sets.length === 0 || sets.includes(set));
  const rows = [];
  const worker = async () => {
    for (let next = kernels.shift(); next; next = kernels.shift()) {
      const { set, kernel } = next;
      const done = await run(['--break', set, kernel, ...words]);
      const noticed = done.code === 0 ? null : (failure(done.stdout) ?? `${done.cause}`);
      rows.push({ set, kernel, noticed });
      process.stdout.write(`${set.padEnd(12)} ${kernel.padEnd(22)} ${noticed ?? 'NOT NOTICED'}\n`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return rows;
}

async function testProgram(arm) {
  const { nativeTestPath } = await import('./build.mjs');
  const command = arm ? ['qemu-aarch64', '-cpu', 'max'] : [];
  command.push(arm ? join(cacheDir, 'build-arm', 'bin', 'neox_kernel_test') : nativeTestPath);
  const env = { ...process.env, NEOX_FORCE_ISA: '' };
  return (args) =>
    new Promise((resolve) => {
      let stdout = '';
      const child = spawn(command[0], [...command.slice(1), ...args], {
        env,
        timeout: timeLimitMs * (arm ? 5 : 1),
      });
      child.stdout.on('data', (piece) => {
        stdout += piece;
      });
      child.on('error', (error) => resolve({ code: -1, stdout, cause: error.message }));
      child.on('close', (code, signal) => resolve({ code, stdout, cause: signal ?? `exit code ${code}` }));
    });
}

// The name of the test that failed.
function failure(stdout) {
  return /^FAIL (\w+)/m.exec(stdout)?.[1] ?? null;
}

if (isMain(import.meta.url)) {
  await runMain(async (argv) => {
    const sets = argv.filter((arg) => !arg.startsWith('--'));
    const rows = await breakKernels({ sets, arm: argv.includes('--arm') });
    const unnoticed = rows.filter(({ noticed }) => noticed === null || !/^\w+_/.test(noticed));
    process.stdout.write(
      `${rows.length} bodies taken out, ${rows.length - unnoticed.length} noticed by a test\n`,
    );
    return rows.length > 0 && unnoticed.length === 0 ? 0 : 1;
  });
}
