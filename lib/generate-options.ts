// Options of generate() and chat(): checked at once, completed by defaults.

import { BEAM_OPTIONS, checkBeamOptions, type ResolvedSequences, resolveSequences } from './beam-options.js';
import type { DryBreakers } from './dry-breakers.js';
import { ArgumentError } from './errors.js';
import type { NativeSamplerOptions } from './native.js';
import { checkOverflowOptions, OVERFLOW_OPTIONS } from './overflow.js';
import { checkSamplerOptions, resolveSampler, SAMPLER_OPTIONS } from './sampler-options.js';
import type { GenerateOptions } from './types.js';
import {
  assertBoolean,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertNumber,
  assertOneOf,
  assertSignal,
  assertText,
  unexpected,
} from './validate.js';

const GENERATE_OPTIONS: readonly (keyof GenerateOptions)[] = [
  ...SAMPLER_OPTIONS,
  'maxNewTokens',
  'stop',
  'maxTime',
  'text',
  'skipSpecialTokens',
  'preset',
  'logitsProcessor',
  'logprobs',
  'promptLookupNumTokens',
  'signal',
  ...OVERFLOW_OPTIONS,
  ...BEAM_OPTIONS,
];
/** A time that no call will ever take, in seconds. */
const MAX_TIME = 1e9;
const MAX_TOP_LOGPROBS = 20;
const MAX_DRAFT = 64;

/** @throws ArgumentError */
export function checkGenerateOptions(where: string, options: GenerateOptions): void {
  assertKnownOptions(where, options, GENERATE_OPTIONS);
  checkSamplerOptions(options);
  checkBeamOptions(options);
  const { maxNewTokens, maxTime, text, skipSpecialTokens, preset, logitsProcessor, logprobs, signal } =
    options;
  const { promptLookupNumTokens } = options;
  if (maxNewTokens !== undefined) checkNewTokens('maxNewTokens', maxNewTokens);
  const { minNewTokens } = options;
  if (minNewTokens !== undefined && maxNewTokens !== undefined && minNewTokens > maxNewTokens) {
    throw new ArgumentError(
      `\`minNewTokens: ${minNewTokens}\` is more than \`maxNewTokens: ${maxNewTokens}\`.`,
    );
  }
  if (maxTime !== undefined) assertNumber('maxTime', maxTime, 0);
  if (maxTime === 0) throw unexpected('a number above 0', 'maxTime', maxTime);
  if (text !== undefined) assertOneOf('text', text, ['decode', 'continuation']);
  if (skipSpecialTokens !== undefined) assertBoolean('skipSpecialTokens', skipSpecialTokens);
  if (preset !== undefined) assertOneOf('preset', preset, ['card']);
  if (logitsProcessor !== undefined) assertFunction('logitsProcessor', logitsProcessor);
  if (typeof logprobs === 'number') assertInteger('logprobs', logprobs, 0, MAX_TOP_LOGPROBS);
  else if (logprobs !== undefined && typeof logprobs !== 'boolean')
    throw unexpected(`a boolean or an integer from 0 to ${MAX_TOP_LOGPROBS}`, 'logprobs', logprobs);
  if (promptLookupNumTokens !== undefined)
    assertInteger('promptLookupNumTokens', promptLookupNumTokens, 0, MAX_DRAFT);
  if (signal !== undefined) assertSignal('signal', signal);
  checkOverflowOptions(options);
  for (const stop of stopList(options.stop)) {
    assertText('stop', stop);
    if (stop === '') throw unexpected('text that is not empty', 'stop', stop);
  }
}

/** @throws ArgumentError */
export function checkNewTokens(name: string, value: unknown): void {
  assertInteger(name, value, 1, 0x7fffffff);
}

export interface ResolvedOptions extends ResolvedSequences {
  sampler: NativeSamplerOptions & { doSample: boolean; seed: number; eosTokenId: Int32Array };
  /** DRY's, when it is on. */
  breakers: { given: DryBreakers | undefined } | undefined;
  /** As asked for; more than fits is an error. */
  maxNewTokens: number | undefined;
  /** The defaults', where nothing was asked for: as many of them as fit. */
  defaultNewTokens: number | undefined;
  stop: string[];
  /** 0: no limit. */
  maxTimeMs: number;
  text: 'decode' | 'continuation';
  skipSpecialTokens: boolean;
  /** -1: none. */
  logprobs: number;
  /** -1: as many as pay. */
  draftTokens: number;
  logitsProcessor: GenerateOptions['logitsProcessor'];
  contextOverflow: NonNullable<GenerateOptions['contextOverflow']>;
  overflowKeep: number;
  signal: AbortSignal | undefined;
}

/**
 * @param eosTokenIds - the checkpoint's
 * @throws ArgumentError for options that contradict each other once they are completed
 */
export function resolveGenerateOptions(
  own: GenerateOptions,
  defaults: GenerateOptions,
  eosTokenIds: readonly number[],
): ResolvedOptions {
  const sampler = resolveSampler(own, defaults, eosTokenIds);
  const contextOverflow = own.contextOverflow ?? 'error';
  return {
    sampler,
    breakers: sampler.dryMultiplier
      ? { given: own.drySequenceBreakers ?? defaults.drySequenceBreakers }
      : undefined,
    maxNewTokens: own.maxNewTokens,
    defaultNewTokens: defaults.maxNewTokens,
    stop: [...stopList(own.stop ?? defaults.stop)],
    maxTimeMs: 1000 * Math.min(own.maxTime ?? 0, MAX_TIME),
    text: own.text ?? 'decode',
    skipSpecialTokens: own.skipSpecialTokens ?? true,
    logprobs: typeof own.logprobs === 'number' ? own.logprobs : own.logprobs ? 0 : -1,
    draftTokens: own.promptLookupNumTokens ?? -1,
    logitsProcessor: own.logitsProcessor,
    contextOverflow,
    overflowKeep: own.overflowKeep ?? 0,
    ...resolveSequences({ ...own, contextOverflow }, defaults, sampler.doSample),
    signal: own.signal,
  };
}

function stopList(stop: GenerateOptions['stop']): readonly string[] {
  if (stop === undefined) return [];
  if (typeof stop === 'string') return [stop];
  if (!Array.isArray(stop)) throw unexpected('text or a list of texts', 'stop', stop);
  return stop;
}
