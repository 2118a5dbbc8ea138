// Compiles the device library with nvcc and looks at what came out: that one function is exported, that nothing but the system's
// own libraries is needed, how large it is, and that it loads on this machine, with or without a driver. Without nvcc the check is
// skipped. No kernel runs here: test/cuda runs them all in the emulation, and on a GPU what native/cuda/README.md says.
//
//   node scripts/check_cuda.mjs [--all]      --all: every architecture that is shipped, and how many kernels spill registers; many
//                                            minutes. Else 90a alone, for which every line of the sources is compiled, and not
//                                            optimized

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { nativeTestPath } from './build.mjs';
import { newestGlibc, readBinary } from './prebuild/problems.mjs';
import { cacheDir, isMain, root, runLogged, runMain, StepError, step } from './steps.mjs';
import { findNvcc } from './tools.mjs';

const allowed = /^(libc|libm|libdl|libpthread|librt|libgcc_s|libstdc\+\+|ld-linux-[\w-]+)\.so\.\d+$/;
const exported = ['neox_device_library'];
const shipped = ['sm_80', 'sm_86', 'sm_89', 'sm_90a', 'sm_120', 'compute_80', 'compute_90'];
const mostMegabytes = 25;

/** The reason for which the check was skipped, or null when all is as it should be. @throws StepError */
export async function checkCuda({ all = false } = {}) {
  if (process.platform !== 'linux') return 'tried on Linux only';
  const nvcc = findNvcc();
  if (!nvcc) return 'nvcc is not installed (CUDA 12.8 or later, on PATH or in CUDA_PATH)';
  const build = join(cacheDir, all ? 'build-cuda-all' : 'build-cuda');
  const library = join(build, 'bin', 'libneox_cuda.so');
  const what = all ? 'every architecture' : 'one architecture';
  await step(`compiling the device library for ${what}`, () => {
    const options = [
      '-DNEOX_ADDON=OFF',
      '-DNEOX_TESTS=OFF',
      '-DNEOX_CUDA=ON',
      `-DCMAKE_CUDA_COMPILER=${nvcc}`,
    ];
    if (!all) checkArchitectures(options);
    if (all) options.push('-DNEOX_CUDA_FLAGS=-Xptxas=-v');
    // Nothing runs it, and optimizing takes half of the time.
    else options.push('-DNEOX_CUDA_ARCH=90a', '-DNEOX_CUDA_FLAGS=-Xcicc=-O0;-Xptxas=-O0');
    runLogged('cuda', 'cmake', ['-S', root, '-B', build, ...options]);
    const jobs = String(availableParallelism());
    const target = ['--build', build, '--target', 'neox_cuda', '--parallel', jobs];
    runLogged('cuda', 'cmake', target, { append: true });
  });
  const megabytes = statSync(library).size / 1e6;
  if (megabytes > mostMegabytes) throw new StepError(`${library} has ${megabytes.toFixed(1)} MB.`);
  checkSymbols(library);
  const glibc = newestGlibc(readBinary(readFileSync(library)));
  const says = checkLoading(library);
  process.stderr.write(
    `neox: the device library for ${what}: ${megabytes.toFixed(1)} MB; built here it needs glibc ${glibc}; ${says}\n`,
  );
  if (all) process.stderr.write(`neox: ${spills(readFileSync(join(cacheDir, 'log', 'cuda.log'), 'utf8'))}\n`);
  return null;
}

/** Of the kernels whose compilation is in the log, those whose registers did not suffice: what ptxas -v says. */
export function spills(log) {
  const stores = [...log.matchAll(/(\d+) bytes spill stores/g)].map((match) => Number(match[1]));
  const spilling = stores.filter((bytes) => bytes > 0);
  return `${spilling.length} of ${stores.length} kernels compiled now spill registers, ${Math.max(0, ...spilling)} bytes at most`;
}

// What would be compiled for all that is shipped, asked of nvcc without compiling it.
function checkArchitectures(options) {
  const build = join(cacheDir, 'build-cuda-dry');
  runLogged('cuda-dry', 'cmake', ['-S', root, '-B', build, ...options, '-DCMAKE_EXPORT_COMPILE_COMMANDS=ON']);
  const commands = JSON.parse(readFileSync(join(build, 'compile_commands.json'), 'utf8'));
  const { command, directory } = commands.find(({ file }) => file.endsWith('norm.cu'));
  const dry = spawnSync(`${command} --dryrun`, { shell: true, cwd: directory, encoding: 'utf8' });
  const missing = shipped.filter((name) => !new RegExp(`\\b${name}\\b`).test(dry.stderr));
  if (dry.status !== 0 || missing.length > 0)
    throw new StepError(
      `nvcc would not compile for ${missing.join(', ') || 'anything'}: ${dry.stderr.slice(0, 500)}`,
    );
}

function lines(command, args) {
  const { status, stdout, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new StepError(`${command} failed: ${error?.message ?? `exit code ${status}`}`);
  return stdout.split('\n').filter(Boolean);
}

function checkSymbols(library) {
  const symbols = lines('nm', ['-D', '--defined-only', library]).map((line) => line.split(' ').at(-1));
  const others = symbols.filter((name) => !exported.includes(name));
  if (others.length > 0 || symbols.length !== exported.length)
    throw new StepError(
      `${library} exports ${symbols.join(', ') || 'nothing'}, not ${exported.join(', ')} alone.`,
    );
  const needed = lines('objdump', ['-p', library]).flatMap((line) => /NEEDED\s+(\S+)/.exec(line)?.[1] ?? []);
  const strange = needed.filter((name) => !allowed.test(name));
  if (strange.length > 0) throw new StepError(`${library} needs ${strange.join(', ')}.`);
}

// The first line that the bench prints of the device, or why it cannot be used.
function checkLoading(library) {
  const bench = join(dirname(nativeTestPath), 'neox_bench');
  if (!existsSync(bench))
    throw new StepError(`${bench} is missing: node scripts/setup.mjs --tests builds it.`);
  const args = [
    '--device',
    'cuda',
    '--library',
    library,
    '--synth',
    'tiny',
    '--prompt',
    '16',
    '--batch',
    '1',
  ];
  const { stdout, stderr, status, signal } = spawnSync(bench, [...args, '--seconds', '0.01'], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  const reason = /^It cannot be used: (.+)$/m.exec(stdout)?.[1];
  if (status === 1 && reason) return `it loads, and says: ${reason}`;
  if (status === 0) return `it loads, and runs: ${stdout.split('\n')[0]}`;
  throw new StepError(`${bench} ended with ${signal ?? status}: ${stdout}${stderr}`);
}

if (isMain(import.meta.url)) {
  await runMain(async (args) => {
    const reason = await checkCuda({ all: args.includes('--all') });
    if (reason) process.stderr.write(`neox: skipped: ${reason}\n`);
  });
}
