// The noise guard: what else the machine did while a test ran, and whether its result can be relied on.

import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** CPU time in milliseconds since the machine or the process began. */
export interface Reading {
  at: number;
  cores: number;
  busy: number;
  own: number;
  /** What a hypervisor gave to others; null where the system does not tell. */
  steal: number | null;
}

export interface Disturbance {
  /** Cores' worth of time that other processes took; null where a test is too short to tell. */
  others: number | null;
  /** Share of all CPU time that the hypervisor took. */
  steal: number | null;
}

/** Beyond these a result is marked. */
export const LIMITS = { spread: 0.05, others: 0.15, steal: 0.02 } as const;

const LEAST_MS = 200; // the system counts in steps of 10 ms

export function readMachine(): Reading {
  const { user, system } = process.cpuUsage();
  const times = cpus().map((cpu) => cpu.times);
  return {
    at: performance.now(),
    cores: times.length,
    busy: times.reduce((sum, time) => sum + time.user + time.nice + time.sys + time.irq, 0),
    own: (user + system) / 1000,
    steal: readSteal(),
  };
}

// The eighth figure of the first line, in hundredths of a second.
function readSteal(): number | null {
  if (process.platform !== 'linux') return null;
  try {
    const steal = Number(readFileSync('/proc/stat', 'latin1').split('\n', 1)[0]?.split(/\s+/)[8]);
    return Number.isFinite(steal) ? 10 * steal : null;
  } catch {
    return null;
  }
}

/** Adds up what happened while repetitions ran, and leaves out what was between them. */
export class Watch {
  #elapsed = 0;
  #cores = 0;
  #others = 0;
  #steal: number | null = 0;

  add(begin: Reading, end: Reading): void {
    this.#elapsed += end.at - begin.at;
    this.#cores = end.cores;
    this.#others += end.busy - begin.busy - (end.own - begin.own);
    const steal = begin.steal === null || end.steal === null ? null : end.steal - begin.steal;
    this.#steal = this.#steal === null || steal === null ? null : this.#steal + steal;
  }

  get disturbance(): Disturbance {
    if (this.#elapsed < LEAST_MS || this.#cores === 0) return { others: null, steal: null };
    return {
      others: Math.max(0, this.#others / this.#elapsed),
      steal: this.#steal === null ? null : this.#steal / (this.#elapsed * this.#cores),
    };
  }
}

/** Why a result is not to be relied on, in words; nothing where it is. */
export function doubts(
  spread: number | null,
  { others, steal }: Disturbance,
  threads: number,
  cores: number = cpus().length,
): string[] {
  const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
  const reasons: string[] = [];
  if (spread !== null && spread > LIMITS.spread)
    reasons.push(`the repetitions scatter by ${percent(spread)}`);
  // Others are welcome to the cores that are left over; more threads than cores take no more than all of them.
  if (others !== null && Math.min(threads, cores) + others > cores + LIMITS.others) {
    reasons.push(`other processes took ${others.toFixed(1)} of ${cores} cores`);
  }
  if (steal !== null && steal > LIMITS.steal) reasons.push(`the host took ${percent(steal)} of the CPU time`);
  return reasons;
}
