// This machine: what runs on it, and what it can do at best.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cudaOptions } from './cuda-library.js';
import { fromNative } from './errors.js';
import { native } from './native.js';
import { assertInteger, assertKnownOptions, assertNumber } from './validate.js';

/** What runs here. */
export interface SystemInfo {
  /** Of this package. */
  version: string;
  /** The commit that it was built from, shortened, and how many led to it; absent in a build without a checkout. */
  commit?: string;
  /** How many commits led to it. */
  commitNumber?: number;
  /** Whether files of the checkout differed from the commit. */
  hasChanges?: boolean;
  /** The instruction set in use; `NEOX_FORCE_ISA` names another. */
  isa: string;
  /** Those that this machine has, best first. */
  supportedIsas: string[];
  /** Threads that a model takes when none are asked for. */
  threads: number;
  /** The CUDA library that models are loaded with, or why there is none. `listDevices` tells whether it works. */
  cuda: string;
}

/** @throws `ERR_NEOX_ISA` when NEOX_FORCE_ISA names no instruction set of this machine. */
export function systemInfo(): SystemInfo {
  try {
    const { cudaLibrary, cudaAbsence = '' } = cudaOptions();
    return { ...native().systemInfo(), ...builtFrom(), cuda: cudaLibrary ?? cudaAbsence };
  } catch (error) {
    throw fromNative(error);
  }
}

// scripts/build.mjs writes it beside the compiled files.
function builtFrom(): Pick<SystemInfo, 'commit' | 'commitNumber' | 'hasChanges'> {
  try {
    return JSON.parse(readFileSync(join(__dirname, 'commit.json'), 'utf8'));
  } catch {
    return {};
  }
}

/** Of `measureCeilings`. */
export interface CeilingOptions {
  /** Threads that measure, 1 to 256. @defaultValue those that a model takes */
  threads?: number;
  /** Time to take in all, 0.1 to 10. @defaultValue `2` */
  seconds?: number;
  /** Size of the buffer that is read, at least 64 MiB. @defaultValue 512 MiB */
  readBytes?: number;
}

/** The yardsticks of a benchmark. */
export interface Ceilings {
  /** Memory read by all threads, in 10^9 bytes a second. */
  readGbPerS: number;
  /** Multiply-adds count as two. */
  int8GopPerS: number;
  /** 0 where the instruction set in use has no products of 16-bit integers. */
  int16GopPerS: number;
  /** The same for 32-bit floats. */
  f32GflopPerS: number;
}

/** Measures how fast this machine reads memory and multiplies. */
export async function measureCeilings(options: CeilingOptions = {}): Promise<Ceilings> {
  assertKnownOptions('measureCeilings', options, ['threads', 'seconds', 'readBytes']);
  if (options.threads !== undefined) assertInteger('threads', options.threads, 1, 256);
  if (options.seconds !== undefined) assertNumber('seconds', options.seconds, 0.1, 10);
  if (options.readBytes !== undefined) assertInteger('readBytes', options.readBytes, 1 << 26);
  try {
    return await native().measureCeilings(options);
  } catch (error) {
    throw fromNative(error);
  }
}
