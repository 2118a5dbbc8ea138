// Repetitions of one test, and more of them while they scatter.

import { type Run, totalNs } from './measure.js';
import { type Disturbance, doubts, readMachine, Watch } from './noise.js';
import { spreadOf } from './statistics.js';

export interface RepeatOptions {
  warmup: boolean;
  /** Least repetitions. */
  repetitions: number;
  /** Most of them, while the results leave doubts. */
  maxRepetitions: number;
  threads: number;
  signal: AbortSignal;
  onRun: (done: number, total: number) => void;
}

export interface Measured extends Disturbance {
  /** All of them: those that went astray as well. */
  runs: Run[];
  /** Of the total times; null of fewer than two. */
  spread: number | null;
  /** Empty for a result that can be relied on. */
  doubts: string[];
}

/** Ends early when the signal aborts; the runs that were complete are kept. */
export async function repeat(once: () => Promise<Run>, options: RepeatOptions): Promise<Measured> {
  const { warmup, repetitions, maxRepetitions, threads, signal, onRun } = options;
  const watch = new Watch();
  const runs: Run[] = [];
  const measured = (): Measured => {
    const spread = runs.length < 2 ? null : spreadOf(runs.map(totalNs));
    const { others, steal } = watch.disturbance;
    return { runs, spread, others, steal, doubts: doubts(spread, { others, steal }, threads) };
  };
  try {
    onRun(0, repetitions);
    if (warmup) await once();
    while (runs.length < repetitions || (runs.length < maxRepetitions && measured().doubts.length > 0)) {
      const begin = readMachine();
      runs.push(await once());
      watch.add(begin, readMachine());
      onRun(runs.length, Math.max(repetitions, runs.length + (runs.length < repetitions ? 0 : 1)));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  const result = measured();
  if (runs.length < repetitions) {
    result.doubts.unshift(`interrupted after ${runs.length} of ${repetitions} repetitions`);
  }
  return result;
}
