// `neox build --cuda`: the device library from source, by CMake and nvcc alone.

import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { DeviceInfo } from '../index.js';
import { CliError, EXIT, UsageError } from './exit-codes.js';
import type { Io } from './io.js';
import { withProgress } from './progress.js';
import {
  copySource,
  missingTools,
  packageFolder,
  readProgress,
  removeSource,
  replaceFile,
  run,
  sourceFolder,
  toolVersions,
} from './source-build.js';

const FILE = process.platform === 'win32' ? 'neox_cuda.dll' : 'libneox_cuda.so';
/** Where the package looks for it; no `.node`, which would be taken for the addon. */
const libraryFile = join(packageFolder, 'build', 'Release', FILE);
const buildFolder = join(sourceFolder, 'build-cuda');

export interface CudaBuildOptions {
  dryRun?: boolean;
  keep?: boolean;
  cudaArch?: string[];
}

/** `90a` or `80,86,90a`. */
export function cudaArch(text: string): string[] {
  const names = text.split(/[,;]/);
  if (names.every((name) => /^\d{2,3}[af]?$/.test(name))) return names;
  throw new UsageError('Expected compute capabilities without their dots, such as 90a or 80,86,89.');
}

/** @throws CliError */
export async function buildCuda(options: CudaBuildOptions, io: Io): Promise<number> {
  const say = (text: string): Promise<void> => io.err.line(`neox: ${text}`);
  const what =
    options.cudaArch === undefined ? 'every GPU that the sources name' : options.cudaArch.join(', ');
  await say(`building the CUDA library of gpt-neox ${toolVersions().version}, for ${what}:`);
  await say(`  1. the sources are copied into ${sourceFolder}; nothing is downloaded`);
  await say('  2. CMake and nvcc compile them: minutes for each kind of GPU');
  await say(`  3. a fresh process opens the result, which then goes to ${libraryFile}`);
  if (!['linux', 'win32'].includes(process.platform)) {
    throw new CliError(EXIT.machine, `There is no CUDA for ${process.platform}.`);
  }
  const { missing, nvcc } = await missingTools('cuda');
  if (missing.length > 0 || nvcc === undefined) {
    throw new CliError(EXIT.machine, `This machine cannot build it: ${missing.join(' ')}`);
  }
  await say(`nvcc is ${nvcc}`);
  if (options.dryRun) {
    await say('every tool is there; nothing was done (--dry-run)');
    return EXIT.ok;
  }
  return io.interrupts.during(async (signal) => {
    await copySource();
    const work = (report: Report) => compileCuda(nvcc, options.cudaArch ?? [], report, signal);
    const failure = await withProgress(io, 'compiling', work, 'steps');
    if (failure !== undefined) {
      for (const line of failure.split('\n')) await io.err.line(line);
      throw new CliError(EXIT.failed, `The build failed; its traces are in ${buildFolder}`);
    }
    await say('opening the result');
    await say(await placeCuda(signal));
    if (!options.keep) await removeSource();
    await say(`${libraryFile} is in use from now on, where NEOX_CUDA_LIBRARY names no other`);
    return EXIT.ok;
  });
}

type Report = (progress: { done: number; total: number }) => void;

/** What the build said, where it failed. */
async function compileCuda(
  nvcc: string,
  architectures: readonly string[],
  report: Report,
  signal: AbortSignal,
): Promise<string | undefined> {
  const log = join(sourceFolder, 'cuda.log');
  writeFileSync(log, '');
  const timer = setInterval(() => void readProgress(log, 0, report), 500);
  const options = ['-DCMAKE_BUILD_TYPE=Release', '-DNEOX_ADDON=OFF', '-DNEOX_TESTS=OFF', '-DNEOX_CUDA=ON'];
  options.push(`-DCMAKE_CUDA_COMPILER=${nvcc}`, `-DNEOX_CUDA_ARCH=${architectures.join(';')}`);
  const steps = [
    ['-S', sourceFolder, '-B', buildFolder, ...options],
    ['--build', buildFolder, '--target', 'neox_cuda', '--config', 'Release'],
  ];
  steps[1]?.push('--parallel', String(availableParallelism()));
  try {
    for (const args of steps) {
      const { code, output } = await run('cmake', args, signal, { cwd: sourceFolder }, log);
      if (code !== 0) return output.trim().split('\n').slice(-40).join('\n');
    }
    return undefined;
  } finally {
    clearInterval(timer);
  }
}

/**
 * Puts the library where the package finds it, once a fresh process has opened it. That there is no GPU here is no fault.
 * @returns what it says of the machine
 */
async function placeCuda(signal: AbortSignal): Promise<string> {
  const built = join(buildFolder, 'bin', FILE);
  if (!existsSync(built)) throw new CliError(EXIT.failed, `The build ended without ${built}`);
  const cli = join(packageFolder, 'dist', 'cli', 'main.js');
  const env = { ...process.env, NEOX_CUDA_LIBRARY: built };
  const { code, output } = await run(process.execPath, [cli, 'inspect', '--devices', '--json'], signal, {
    env,
  });
  if (code !== 0) throw new CliError(EXIT.machine, `What was built cannot be tried here: ${output.trim()}`);
  const json = output.slice(output.indexOf('{'), output.lastIndexOf('}') + 1); // Node may say something beside it
  const { devices } = JSON.parse(json) as { devices: DeviceInfo[] };
  const cuda = devices.find(({ device }) => device === 'cuda');
  // What is wrong with the file itself names it; the rest is what the driver says.
  if (cuda?.reason?.includes(built))
    throw new CliError(EXIT.failed, `What was built is not used: ${cuda.reason}`);
  await replaceFile(built, libraryFile);
  return cuda?.isUsable ? `it finds ${cuda.name}` : `it opens; no GPU can be used here: ${cuda?.reason}`;
}
