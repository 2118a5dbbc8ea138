// The addon, loaded on first use, and what it exports.

import { loadAddon } from './addon.js';
import type { ImportanceResult, JobResult } from './job-types.js';
import type {
  NativeDevice,
  NativeInspection,
  NativeLoadOptions,
  NativeTypeRules,
} from './native-load-types.js';
import type {
  NativeBeams,
  NativeCollectOptions,
  NativeModelInfo,
  NativeVerification,
  TokenizerFiles,
} from './native-types.js';
import type { ModelProfile } from './profile-types.js';
import type { FinishReason, ModelConfig, RoundingOptions, TokenLogprob } from './types.js';

/** Work on a native thread that can be cancelled: `promise` then rejects with `ERR_NEOX_CANCELLED`. */
export interface NativeJob<T> {
  promise: Promise<T>;
  cancel(): void;
}

export type NativeProgress = (done: number, total: number) => void;

export interface NativeModel {
  config(): ModelConfig;
  info(): NativeModelInfo;
  /** Null where there is none. */
  tokenizer(): TokenizerFiles | null;
  createSession(): NativeSession;
  restoreSession(path: string, recompute: boolean, onProgress?: NativeProgress): NativeJob<NativeSession>;
  submit(request: NativeRequest): NativeCall;
  /** Rows `[ids.length, hiddenSize]`. */
  inputEmbeddings(ids: Int32Array): Promise<Float32Array>;
  startProfile(): void;
  endProfile(): ModelProfile;
  dispose(): Promise<void>;
}

export interface NativeSession {
  length(): number;
  /** -1 stands for a row that was given as an embedding. */
  ids(): Int32Array;
  /** Tokens that overflows of the context have dropped. */
  dropped(): number;
  truncate(position: number): void;
  fork(position: number): NativeSession;
  /** The session is busy from here on until the job ends. */
  save(path: string, onProgress?: NativeProgress): NativeJob<void>;
  dispose(): void;
}

export type NativePromptPart = { ids: Int32Array } | { embeddings: Float32Array };

/** Fields of CallRequest in native/engine/call.h. */
export interface NativeRequest {
  session?: NativeSession;
  prompt: NativePromptPart[];
  maxNewTokens?: number;
  replace?: boolean;
  contextOverflow?: 'error' | 'truncateLeft' | 'shift';
  overflowKeep?: number;
  sampler?: NativeSamplerOptions;
  /** Distinguishes the draws of several outputs with one seed. */
  choice?: number;
  logprobs?: number;
  /** -1: as many as pay. */
  draftTokens?: number;
  externalScores?: boolean;
  beams?: NativeBeams;
  maxTimeMs?: number;
  ringCapacity?: number;
  logitsAt?: Int32Array;
  hiddenAt?: Int32Array;
  scoreFrom?: number;
}

/** Fields of SamplerConfig in native/engine/sampler.h; what is absent is off. */
export interface NativeSamplerOptions {
  doSample?: boolean;
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  typicalP?: number;
  epsilonCutoff?: number;
  etaCutoff?: number;
  repetitionPenalty?: number;
  noRepeatNgramSize?: number;
  badWordsIds?: Int32Array[];
  sequenceBias?: { ids: Int32Array; bias: number }[];
  minLength?: number;
  minNewTokens?: number;
  forcedBosTokenId?: number;
  forcedEosTokenId?: Int32Array;
  maxLength?: number;
  exponentialDecayLengthPenalty?: { start: number; factor: number };
  suppressTokens?: Int32Array;
  beginSuppressTokens?: Int32Array;
  renormalizeLogits?: boolean;
  eosTokenId?: Int32Array;
  presencePenalty?: number;
  frequencyPenalty?: number;
  logitBias?: { id: number; bias: number }[];
  dryMultiplier?: number;
  dryBase?: number;
  dryAllowedLength?: number;
  dryRange?: number;
  dryBreakerIds?: Int32Array;
  dryBreakerSequences?: Int32Array[];
  seed?: number;
}

export interface NativeTimings {
  queueMs: number;
  prefillMs: number;
  decodeMs: number;
  draftedTokens: number;
  acceptedTokens: number;
}

export const NO_TIMINGS: NativeTimings = {
  queueMs: 0,
  prefillMs: 0,
  decodeMs: 0,
  draftedTokens: 0,
  acceptedTokens: 0,
};

export interface NativeTokens {
  ids: Int32Array;
  /** With the request's `logprobs`, one entry for each id. */
  logprobs?: Float32Array;
  tops?: TokenLogprob[][];
}

export interface NativeDrained extends NativeTokens {
  /** The outcome of a search, once: when it is done. */
  beams?: (NativeTokens & { score: number; finishReason: FinishReason })[];
  /** Rows of the prompt that were cached already. */
  reusedTokens: number;
  state: 'waiting' | 'running' | 'awaitingScores' | 'done';
  finishReason: FinishReason | 'none';
  error?: Error;
  timings: NativeTimings;
}

export interface NativeCall {
  /** Undefined while there is nothing new. */
  drain(): NativeDrained | undefined;
  cancel(reason: FinishReason, keepTokens: number): void;
  /** While `awaitingScores`. */
  scores(): Float32Array;
  submitScores(scores: Float32Array): void;
  /** Once done. */
  result(): { logits: Float32Array; hidden: Float32Array; targetLogprobs: Float32Array };
  /** Gives memory back early; cancels a call that is not done. */
  release(): void;
}

export interface NativeSampler {
  process(
    scores: Float32Array,
    ids: Int32Array,
    promptLength: number,
    minTokensToKeep: number,
    choice: number,
  ): Float32Array;
  sample(
    scores: Float32Array,
    ids: Int32Array,
    promptLength: number,
    minTokensToKeep: number,
    choice: number,
  ): number;
}

export interface NativeAddon {
  readonly errorCodes: string[];
  setOnWake(onWake: () => void): void;
  hold(): void;
  unhold(): void;
  loadModel(path: string, options: NativeLoadOptions, onProgress?: NativeProgress): NativeJob<NativeModel>;
  loadTokenizer(path: string): Promise<TokenizerFiles>;
  createSampler(options: NativeSamplerOptions): NativeSampler;
  inspect(path: string, options: NativeLoadOptions): Promise<NativeInspection>;
  systemInfo(): { version: string; isa: string; supportedIsas: string[]; threads: number };
  listDevices(options: NativeLoadOptions): Promise<NativeDevice[]>;
  measureCeilings(options: { threads?: number; seconds?: number; readBytes?: number }): Promise<{
    readGbPerS: number;
    int8GopPerS: number;
    int16GopPerS: number;
    f32GflopPerS: number;
  }>;
  convert(
    options: {
      source: string;
      output: string;
      name?: string;
      chatFormat?: string;
      quantizedFrom?: string;
    } & NativeTypeRules &
      RoundingOptions,
    onProgress?: NativeProgress,
  ): NativeJob<JobResult>;
  quantize(
    options: {
      source: string;
      output: string;
      allowRequantize?: boolean;
      quantizedFrom?: string;
      dryRun?: boolean;
    } & NativeTypeRules &
      RoundingOptions,
    onProgress?: NativeProgress,
  ): NativeJob<JobResult>;
  synth(
    options: {
      shape: string;
      output: string;
      type: string;
      tokenizer?: string;
      seed?: number;
      dryRun?: boolean;
    },
    onProgress?: NativeProgress,
  ): NativeJob<JobResult>;
  verify(path: string, onProgress?: NativeProgress): NativeJob<NativeVerification>;
  synthShapes(): string[];
  collectImportance(options: NativeCollectOptions, onProgress?: NativeProgress): NativeJob<ImportanceResult>;
  fileTypes(): string[];
}

/** Every name that the addon exports; a test compares it with the addon. */
export const NATIVE_EXPORTS: readonly (keyof NativeAddon)[] = [
  'errorCodes',
  'setOnWake',
  'hold',
  'unhold',
  'loadModel',
  'loadTokenizer',
  'createSampler',
  'inspect',
  'systemInfo',
  'listDevices',
  'measureCeilings',
  'convert',
  'quantize',
  'synth',
  'verify',
  'synthShapes',
  'collectImportance',
  'fileTypes',
];

let loaded: NativeAddon | undefined;

/**
 * The addon.
 * @throws LoadError when there is none for this machine, with what helps
 */
export function native(): NativeAddon {
  if (loaded) return loaded;
  const addon = loadAddon(NATIVE_EXPORTS) as NativeAddon;
  addon.setOnWake(onWake);
  loaded = addon;
  return addon;
}

let waiters: (() => void)[] = [];

/** Resolves at the addon's next wake-up. Something waits, so the process stays alive until then. */
export function nextWake(): Promise<void> {
  return new Promise((resolve) => {
    if (waiters.length === 0) native().hold();
    waiters.push(resolve);
  });
}

function onWake(): void {
  if (waiters.length === 0) return;
  const woken = waiters;
  waiters = [];
  native().unhold();
  for (const resolve of woken) resolve();
}
