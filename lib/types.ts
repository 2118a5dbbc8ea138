// Option and result types shared by several files. Names are the camelCase of Hugging Face's, and so are the meanings.

import type { BeamOptions } from './beam-types.js';
import type { OverflowOptions } from './overflow-types.js';
import type { FileType, FileTypeName, TensorType } from './weight-types.js';

export type { FileType, FileTypeName, TensorType };

/** Arithmetic of the network; see {@link LoadOptions.precision}. */
export type Precision = 'exact' | 'high' | 'fast';

/** Type of the cached keys and values. `q8_0`: one byte each and a 16-bit scale for 32 dimensions of a position. */
export type KvCacheType = 'f32' | 'f16' | 'q8_0';

/** A progress report of long work. `done` and `total` share a unit (bytes, unless said otherwise). */
export interface Progress {
  done: number;
  total: number;
}

/** How `convert` and `quantize` round values to a smaller type, and what is told of it. */
export interface RoundingOptions {
  /**
   * An importance matrix of this model, from `collectImportance` or llama.cpp: errors count as much as their column matters.
   * @defaultValue none: all columns count the same
   */
  imatrix?: string;
  /** Measures what became of each matrix, for `JobResult.tensors`. @defaultValue `false` */
  report?: boolean;
}

/** How a loaded model runs. */
export interface ModelInfo {
  /** From the file, else the directory's name. */
  name: string;
  /** Type of most matrix elements. */
  type: TensorType;
  /** What the whole was asked to be, or says it is; absent where it says nothing. */
  fileType?: FileType;
  weightsBytes: number;
  device: 'cpu' | 'cuda';
  precision: Precision;
  kvCacheType: KvCacheType;
  threads: number;
  /** Positions that one sequence may hold. */
  contextLength: number;
  /** Positions that the KV pool holds, over all sequences. */
  kvCachePositions: number;
}

/** A typed array of integers. */
export type IntegerArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array;

/** A list of token ids: an array, or a typed array of integers. */
export type TokenIds = readonly number[] | IntegerArray;

/** A part of a prompt. Embeddings are `[n, hiddenSize]`, row-major. */
export type Segment = { text: string } | { ids: TokenIds } | { embeddings: Float32Array };

/** Text (encoded without special tokens), ids, or a mix. */
export type Prompt = string | TokenIds | readonly Segment[];

export interface SamplerOptions {
  /**
   * Whether tokens are drawn; otherwise the most likely one is taken.
   * @defaultValue true when `temperature` > 0 or any of topK, topP, minP, typicalP, epsilonCutoff, etaCutoff is set
   */
  doSample?: boolean;
  /** Divides the scores; 0 is greedy. @defaultValue `1` when sampling */
  temperature?: number;
  /** Keeps the `topK` most likely tokens; 0 keeps all. @defaultValue `50` when sampling */
  topK?: number;
  /** Keeps the smallest set of tokens whose probability reaches `topP`. @defaultValue `1` (off) */
  topP?: number;
  /** Drops tokens less likely than `minP` times the most likely one. @defaultValue `0` (off) */
  minP?: number;
  /** Keeps the tokens whose information is nearest to the entropy, up to this probability. @defaultValue `1` (off) */
  typicalP?: number;
  /** Drops tokens less likely than this, from 0 to below 1. @defaultValue `0` (off) */
  epsilonCutoff?: number;
  /** Drops tokens less likely than the less of `etaCutoff` and `sqrt(etaCutoff) * exp(-entropy)`. @defaultValue `0` (off) */
  etaCutoff?: number;
  /** Divides the positive and multiplies the negative scores of tokens in prompt and output. @defaultValue `1` (off) */
  repetitionPenalty?: number;
  /** No run of so many tokens comes twice, the prompt counted. @defaultValue `0` (off) */
  noRepeatNgramSize?: number;
  /** Sequences of ids that never come; a single eos among them is ignored. @defaultValue none */
  badWordsIds?: readonly (readonly number[])[];
  /** What is added to the score of a sequence's last id when the others stand before it: `[[ids, bias]]`. @defaultValue none */
  sequenceBias?: readonly (readonly [readonly number[], number])[];
  /** No eos before prompt and output have so many tokens; `generate` ignores it beside `minNewTokens`. @defaultValue `0` */
  minLength?: number;
  /** No eos before the output has so many tokens. @defaultValue `0` */
  minNewTokens?: number;
  /** The token after a prompt of one. @defaultValue none */
  forcedBosTokenId?: number;
  /** The last token when `maxNewTokens` is reached: one id or one of several. @defaultValue none */
  forcedEosTokenId?: number | readonly number[];
  /** `[start, factor]`: n new tokens after `start`, the eos gains `abs(score) * (factor ** n - 1)`. @defaultValue none */
  exponentialDecayLengthPenalty?: readonly [number, number];
  /** Ids that never come. @defaultValue none */
  suppressTokens?: readonly number[];
  /** Ids that are never the first new one. @defaultValue none */
  beginSuppressTokens?: readonly number[];
  /** Turns the processed scores into log-probabilities. @defaultValue `false` */
  renormalizeLogits?: boolean;
  /** Not Hugging Face's but OpenAI's: taken from the score of every id of the output so far; below 0 it invites. @defaultValue `0` */
  presencePenalty?: number;
  /** The same, once for each time that the id came in the output. @defaultValue `0` */
  frequencyPenalty?: number;
  /** Not Hugging Face's but OpenAI's: what is added to the scores of ids; -100 all but forbids one. @defaultValue none */
  logitBias?: ReadonlyMap<number, number> | Readonly<Record<number, number>>;
  /**
   * Not Hugging Face's: DRY. A token that would extend a repetition in prompt and output loses
   * `dryMultiplier * dryBase ** (length of the repetition - dryAllowedLength)`; 0.8 is common. @defaultValue `0` (off)
   */
  dryMultiplier?: number;
  /** At least 1. @defaultValue `1.75` */
  dryBase?: number;
  /** The shortest repetition that costs, at least 1. @defaultValue `2` */
  dryAllowedLength?: number;
  /** How many of the last tokens are searched for repetitions; 0: all. @defaultValue `0` */
  dryRange?: number;
  /**
   * No repetition reaches over these, texts or lists of ids, and they cost nothing themselves. A text stands for all tokens
   * that hold it, too; it needs a tokenizer. In `chat`, "\n" stands for the format's line break as well.
   * @defaultValue `['\n', ':', '"', '*']` where the model has a tokenizer
   */
  drySequenceBreakers?: readonly (string | readonly number[])[];
  /** One id, several, or `null` for none. @defaultValue the checkpoint's */
  eosTokenId?: number | readonly number[] | null;
  /** 0 to 2^53 - 1. The same seed and the same logits give the same ids everywhere. @defaultValue random */
  seed?: number;
}

export interface GenerateOptions extends SamplerOptions, OverflowOptions, BeamOptions {
  /** Most new tokens, at least 1; more than fit are an error. @defaultValue `256` for `generate`, what fits for `chat` */
  maxNewTokens?: number;
  /** Strings that end the text; they are never delivered. @defaultValue none */
  stop?: string | readonly string[];
  /** Seconds, above 0, after which the call ends with `finishReason: 'time'`. @defaultValue no limit */
  maxTime?: number;
  /** `decode`: text is decode(new ids). `continuation`: decode(prompt + new) after decode(prompt). @defaultValue `'decode'` */
  text?: 'decode' | 'continuation';
  /** Leaves special tokens out of the text; their ids are delivered. @defaultValue `true` */
  skipSpecialTokens?: boolean;
  /** Takes `Model.generationDefaults` for what is not given, as `chat` always does. @defaultValue none */
  preset?: 'card';
  /**
   * A step of your own between the penalties and temperature, topK, ...: changes `scores` (`[vocabSize]`) in place.
   * `ids` are prompt and output so far; the output alone where embeddings are in the prompt. Other sequences go on meanwhile. It must be synchronous.
   * @defaultValue none
   */
  logitsProcessor?: (ids: readonly number[], scores: Float32Array) => void;
  /**
   * Adds the log-probability of each token, and of the most likely `n` where a number is given (0 to 20).
   * @defaultValue `false`
   */
  logprobs?: boolean | number;
  /** Stops the call, which then rejects with `signal.reason`. @defaultValue none */
  signal?: AbortSignal;
  /**
   * Tokens drafted by prompt lookup: where the end of the text stood before, what followed it then is checked in one pass and
   * kept as far as it is what would have come anyway, so ids and log-probabilities never change. 0 to 64; 0: none; a number
   * drafts that many wherever something repeats. Nothing is drafted beside a `logitsProcessor` or beams.
   * @defaultValue as many as pay, by what drafts cost and how often they come true, both measured while generating
   */
  promptLookupNumTokens?: number;
}

/** The checkpoint's hyperparameters under the names of its config.json. */
export interface ModelConfig {
  numHiddenLayers: number;
  hiddenSize: number;
  numAttentionHeads: number;
  intermediateSize: number;
  /** Rows of the embedding; may exceed the tokenizer's. */
  vocabSize: number;
  maxPositionEmbeddings: number;
  rotaryPct: number;
  ropeTheta: number;
  ropeScaling: { type: 'linear' | 'dynamic'; factor: number } | null;
  layerNormEps: number;
  hiddenAct: 'gelu' | 'gelu_new';
  useParallelResidual: boolean;
  bosTokenId: number | null;
  eosTokenId: number | null;
  padTokenId: number | null;
  unkTokenId: number | null;
}

export interface TokenLogprob {
  id: number;
  logprob: number;
}

export interface GeneratedToken {
  id: number;
  logprob?: number;
  topLogprobs?: TokenLogprob[];
}

/**
 * A piece of output. Every id is delivered in exactly one chunk. `text` ends with a whole code point (an emoji or accent made of
 * several may come in parts) and is empty while one is incomplete, or while what follows may still change or end the text.
 */
export interface Chunk {
  /** Of the sequence in {@link Result.sequences}. */
  index: number;
  text: string;
  tokens: GeneratedToken[];
}

export type FinishReason = 'eos' | 'stop' | 'length' | 'time' | 'cancelled';

/** Of all sequences; the prompt counts once. */
export interface Usage {
  promptTokens: number;
  completionTokens: number;
  /** Of the prompt, what a session had computed before; see {@link SessionGenerateOptions.replace}. */
  cachedTokens: number;
}

/** Milliseconds, unless said otherwise. */
export interface Timings {
  /** From the call's start until the engine took it. */
  queueMs: number;
  prefillMs: number;
  decodeMs: number;
  /** Of those that were not cached. */
  promptTokensPerSecond: number;
  tokensPerSecond: number;
  /** Tokens drafted by prompt lookup, and those of them that came true; see `promptLookupNumTokens`. */
  draftedTokens: number;
  acceptedTokens: number;
}

export interface SequenceResult {
  text: string;
  tokenIds: number[];
  tokens: GeneratedToken[];
  finishReason: FinishReason;
  /** Of a beam. */
  score?: number;
}

/** The outcome of a call; the top level repeats `sequences[0]`. */
export interface Result extends SequenceResult {
  sequences: SequenceResult[];
  usage: Usage;
  timings: Timings;
  seed: number;
}

/** A part of a message: text, or an image as embeddings `[n, hiddenSize]`, row-major, for a chat format that has images. */
export type MessagePart = { text: string } | { embeddings: Float32Array };

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string | readonly MessagePart[];
}

/** Of `Model.logits` and `Model.hiddenStates`. */
export interface PositionOptions {
  /** Of the rows wanted: rising, counted from 0. @defaultValue `'last'` */
  positions?: 'last' | 'all' | readonly number[];
}

/** A matrix, row-major. */
export interface Rows {
  data: Float32Array;
  shape: [rows: number, columns: number];
}

/** Natural logarithms. */
export interface Score {
  /** Of the whole continuation. */
  sum: number;
  tokens: TokenLogprob[];
}

export interface EmbedOptions {
  /** The mean over all tokens, or the last one's. @defaultValue `'mean'` */
  pooling?: 'mean' | 'last';
  /** Scales the vector to length 1. @defaultValue `true` */
  normalize?: boolean;
}
