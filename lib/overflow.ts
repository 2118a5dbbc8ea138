// What becomes of a call that the context has no room for.

import { ArgumentError } from './errors.js';
import type { OverflowOptions } from './overflow-types.js';
import { assertInteger, assertOneOf } from './validate.js';

export const OVERFLOW_OPTIONS = ['contextOverflow', 'overflowKeep'] as const;

/** Prompts longer than this are refused by every policy, unread. */
export const LONGEST_PROMPT = 1 << 24;

/** @throws ArgumentError */
export function checkOverflowOptions({ contextOverflow, overflowKeep }: OverflowOptions): void {
  if (contextOverflow !== undefined)
    assertOneOf('contextOverflow', contextOverflow, ['error', 'truncateLeft', 'shift']);
  if (overflowKeep === undefined) return;
  assertInteger('overflowKeep', overflowKeep, 0, 0x7fffffff);
  if ((contextOverflow ?? 'error') === 'error') {
    throw new ArgumentError("`overflowKeep` needs `contextOverflow: 'truncateLeft'` or `'shift'`.");
  }
}

/** A call's own options, completed by those of its session. */
export function withOverflow<T extends OverflowOptions>(own: T, session: OverflowOptions): T {
  const contextOverflow = own.contextOverflow ?? session.contextOverflow;
  const overflowKeep = own.overflowKeep ?? (contextOverflow === 'error' ? undefined : session.overflowKeep);
  return {
    ...own,
    ...(contextOverflow === undefined ? {} : { contextOverflow }),
    ...(overflowKeep === undefined ? {} : { overflowKeep }),
  };
}

/** How long the prompt may be that is prepared for a call. */
export function promptLimit({ contextOverflow }: OverflowOptions, contextLength: number): number {
  return (contextOverflow ?? 'error') === 'error' ? contextLength : LONGEST_PROMPT;
}

export interface TokenBudget {
  contextOverflow: NonNullable<OverflowOptions['contextOverflow']>;
  /** Positions that a sequence may have. */
  limit: number;
  /** Positions taken: what the session holds and the prompt. */
  used: number;
  /** As asked for. */
  maxNewTokens: number | undefined;
  /** Where nothing was asked for: as many of them as fit. */
  defaultNewTokens: number;
}

/** The most new tokens of a call, and how many old ones `truncateLeft` drops for them. */
export function budgetTokens(budget: TokenBudget): { maxNewTokens: number; dropped: number } {
  const { contextOverflow, limit, used, defaultNewTokens } = budget;
  const room = limit - used;
  if (contextOverflow === 'shift') {
    return { maxNewTokens: budget.maxNewTokens ?? Math.min(defaultNewTokens, limit), dropped: 0 };
  }
  // A prompt that is cut leaves a quarter of the context to its answer.
  const least = contextOverflow === 'truncateLeft' ? Math.floor(limit / 4) : 0;
  const fitting = Math.min(defaultNewTokens, Math.max(room, least));
  const maxNewTokens = budget.maxNewTokens ?? Math.max(1, fitting);
  return { maxNewTokens, dropped: contextOverflow === 'truncateLeft' ? Math.max(0, maxNewTokens - room) : 0 };
}
