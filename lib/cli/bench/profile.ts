// Where the time of a test goes, by operation, with what each reads and computes.

import type { ModelProfile, Operation, PassProfile } from '../../index.js';
import { rate } from '../values.js';
import type { ModelCost } from './cost.js';
import type { BenchTest } from './tests.js';

export interface ProfiledOperation {
  op: Operation;
  /** Of one pass, as are all times here. */
  ms: number;
  /** Of these: until the other threads had finished their share. */
  wait_ms: number;
  /** Of the pass. */
  share: number;
  gb_per_s: number | null;
  gop_per_s: number | null;
}

export interface ProfiledPhase {
  phase: 'prompt' | 'step';
  passes: number;
  /** Of all passes. */
  rows: number;
  ms: number;
  ops: ProfiledOperation[];
}

/** The phases that the test times: a generation begins with a prompt of its own, which it does not. */
export function profilePhases(profile: ModelProfile, cost: ModelCost, test: BenchTest): ProfiledPhase[] {
  const phases: ProfiledPhase[] = [];
  if (test.nPrompt > 0) phases.push(profilePhase('prompt', profile.prompt, cost, test));
  if (test.nGen > 0) phases.push(profilePhase('step', profile.step, cost, test));
  return phases.filter(({ passes }) => passes > 0);
}

function profilePhase(
  phase: ProfiledPhase['phase'],
  { passes, rows, ops }: PassProfile,
  cost: ModelCost,
  test: BenchTest,
): ProfiledPhase {
  const list = Object.entries(ops) as [Operation, { ms: number; waitMs: number }][];
  const total = list.reduce((sum, [, { ms }]) => sum + ms, 0);
  const found = list.map(([op, { ms, waitMs }]) => {
    const work = workOf(op, phase, { passes, rows }, cost, test);
    const per = (amount: number | null): number | null =>
      amount === null || ms === 0 ? null : amount / ms / 1e6;
    return {
      op,
      ms: ms / passes,
      wait_ms: waitMs / passes,
      share: ms / total,
      gb_per_s: per(work.bytes),
      gop_per_s: per(work.operations),
    };
  });
  return { phase, passes, rows, ms: total / passes, ops: found.sort((a, b) => b.ms - a.ms) };
}

interface Work {
  bytes: number | null;
  operations: number | null;
}

// Weights are read once in each pass. The head of a prompt has one row, and attention reads a step's positions once.
function workOf(
  op: Operation,
  phase: ProfiledPhase['phase'],
  { passes, rows }: { passes: number; rows: number },
  cost: ModelCost,
  { nPrompt, nGen, depth }: BenchTest,
): Work {
  if (op === 'attention') {
    const before = phase === 'step' ? Math.max(1, depth + nPrompt) + nGen / 2 : depth + nPrompt / 2;
    return {
      bytes: phase === 'step' ? rows * before * cost.kvBytes : null,
      operations: 4 * cost.hiddenLayers * rows * before,
    };
  }
  const product = op in cost.products ? cost.products[op as keyof ModelCost['products']] : undefined;
  if (product === undefined) return { bytes: null, operations: null };
  const times = op === 'head' && phase === 'prompt' ? 1 : rows;
  const reads = op === 'head' && phase === 'prompt' ? 1 : passes;
  return { bytes: reads * product.bytes, operations: 2 * product.elements * times };
}

/** The head and the cells of a phase's table. */
export const PROFILE_HEAD = ['operation', 'ms', 'share', 'waiting', 'GB/s', 'Gop/s'] as const;

export function profileRows({ ops, ms }: ProfiledPhase): string[][] {
  const number = (value: number | null): string => (value === null ? '-' : rate(value));
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const waiting = ops.reduce((sum, { wait_ms }) => sum + wait_ms, 0);
  return [
    ...ops.map(({ op, ms: time, share, wait_ms, gb_per_s, gop_per_s }) => [
      op,
      time.toFixed(3),
      percent(share),
      percent(time > 0 ? wait_ms / time : 0),
      number(gb_per_s),
      number(gop_per_s),
    ]),
    ['in all', ms.toFixed(3), percent(1), percent(ms > 0 ? waiting / ms : 0), '-', '-'],
  ];
}

/** `a pass of 512 rows`. */
export function phaseTitle({ phase, passes, rows }: ProfiledPhase): string {
  const each = rows / passes;
  const shown = Number.isInteger(each) ? String(each) : each.toFixed(1);
  return `${phase === 'prompt' ? 'a pass of the prompt' : 'a step'} of ${shown} ${each === 1 ? 'row' : 'rows'}`;
}
