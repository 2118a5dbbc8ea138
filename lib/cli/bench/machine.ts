// What is recorded of the machine and of the build beside each result.

import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { type Ceilings, measureCeilings, systemInfo } from '../../index.js';
import { doubts, readMachine, Watch } from './noise.js';

/** Ceilings, when they were measured, and why they may be too low; empty where nothing speaks for that. */
export interface MeasuredCeilings extends Ceilings {
  time: string;
  doubts: string[];
}

const MOST_TRIES = 3;

/** Measures again while others take cores or CPU time meanwhile, until an abort; the best of all tries is the result. */
export async function ceilingsNow(
  threads: number = systemInfo().threads,
  signal?: AbortSignal,
): Promise<MeasuredCeilings> {
  const time = new Date().toISOString();
  const tries: Ceilings[] = [];
  for (;;) {
    const watch = new Watch();
    const begin = readMachine();
    tries.push(await measureCeilings({ seconds: 1, threads }));
    watch.add(begin, readMachine());
    const found = doubts(null, watch.disturbance, threads);
    if (found.length === 0 || tries.length === MOST_TRIES || signal?.aborted) {
      return { ...bestCeilings(tries), time, doubts: found };
    }
  }
}

export function machineFields() {
  const { version, isa, commit, commitNumber, hasChanges = false } = systemInfo();
  return {
    build_commit: commit ?? `gpt-neox ${version}`,
    build_number: commitNumber ?? 0,
    version: hasChanges ? `${version}+changes` : version,
    cpu_info: cpus()[0]?.model ?? '',
    cpu_count: cpus().length,
    isa,
    os: `${process.platform} ${process.arch}`,
    node: process.version,
    memory_total_bytes: totalmem(),
    load_average: loadavg()[0] ?? 0,
  };
}

/** From now on {@link peakMemory} counts anew, where the system can do that (Linux). */
export function resetPeakMemory(): void {
  if (process.platform !== 'linux') return;
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Then it is the peak since the process began.
  }
}

/** Most bytes that the process had in memory. */
export function peakMemory(): number {
  try {
    const [, kib] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1')) ?? [];
    if (kib !== undefined) return 1024 * Number(kib);
  } catch {
    // Not Linux.
  }
  return 1024 * process.resourceUsage().maxRSS;
}

/** The best of several measurements, at least one: the host changes, and a ceiling is what it can do at best. */
export function bestCeilings(measured: readonly Ceilings[]): Ceilings {
  const best = (value: (each: Ceilings) => number): number => Math.max(...measured.map(value));
  return {
    readGbPerS: best((each) => each.readGbPerS),
    int8GopPerS: best((each) => each.int8GopPerS),
    int16GopPerS: best((each) => each.int16GopPerS),
    f32GflopPerS: best((each) => each.f32GflopPerS),
  };
}
