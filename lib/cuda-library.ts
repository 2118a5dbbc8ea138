// Where the library is that runs models on NVIDIA's GPUs: what the user named, what was built here, the optional package. Only
// paths are looked at; whether a GPU can be used, its driver tells (native/model/device_library.h).

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { outsideArchive } from './asar.js';

const packageFolder = join(__dirname, '..');
/** `neox build --cuda` makes it; no `.node`, which would be taken for the addon. */
const BUILT = process.platform === 'win32' ? 'neox_cuda.dll' : 'libneox_cuda.so';
/** Those of the optional packages. The name ends so that packagers of Electron apps unpack it. */
const PACKAGED = 'neox_cuda.node';
const PLATFORMS = ['linux-x64', 'win32-x64'];

/** What the native side is told: a path, or why there is none. */
export interface CudaOptions {
  cudaLibrary?: string;
  cudaAbsence?: string;
}

export function cudaOptions(): CudaOptions {
  const named = process.env.NEOX_CUDA_LIBRARY;
  if (named) return { cudaLibrary: resolve(named) };
  try {
    const found = builtLibrary() ?? packagedLibrary();
    return found === undefined ? { cudaAbsence: absence() } : { cudaLibrary: outsideArchive(found) };
  } catch (error) {
    return { cudaAbsence: `The CUDA library cannot be used: ${(error as Error).message}` };
  }
}

function builtLibrary(): string | undefined {
  const path = join(packageFolder, 'build', 'Release', BUILT);
  return existsSync(path) ? path : undefined;
}

function packagedLibrary(): string | undefined {
  try {
    return require.resolve(`gpt-neox-cuda-${platform()}/${PACKAGED}`);
  } catch {
    return undefined;
  }
}

function absence(): string {
  if (process.platform !== 'linux' && process.platform !== 'win32') {
    return `There is no CUDA for ${process.platform}: models run on the CPU.`;
  }
  const install = PLATFORMS.includes(platform()) ? `install gpt-neox-cuda-${platform()}, ` : '';
  return (
    `There is no CUDA library for gpt-neox: ${install}build one with \`npx gpt-neox build --cuda\`, or name one in ` +
    'NEOX_CUDA_LIBRARY.'
  );
}

function platform(): string {
  return `${process.platform}-${process.arch}`;
}
