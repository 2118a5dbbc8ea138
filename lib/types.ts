// Option and result types shared by several files. Names are the camelCase of Hugging Face's, and so are the meanings.

import type { BeamOptions } from './beam-types.js';
import type { OverflowOptions } from './overflow-types.js';
import type { SamplerOptions } from './sampler-types.js';
import type { FileType, FileTypeName, TensorType } from './weight-types.js';

export type { FileType, FileTypeName, SamplerOptions, TensorType };

/** Arithmetic of the network; see {@link LoadOptions.precision}. */
export type Precision = 'exact' | 'high' | 'fast';

/** Type of the cached keys and values. `q8_0`: one byte each and a 16-bit scale for 32 dimensions of a position. */
export type KvCacheType = 'f32' | 'f16' | 'q8_0';

/** A progress report of long work. `done` and `total` share a unit (bytes, unless said otherwise). */
export interface Progress {
  /** What is behind. */
  done: number;
  /** All there is. */
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
  /** As they lie in memory. */
  weightsBytes: number;
  /** Where passes run: `cuda` with at least one layer on the GPU. */
  device: 'cpu' | 'cuda';
  /** How many of the last layers run on the GPU. */
  gpuLayers: number;
  /** Why the GPU has none, or fewer than were asked for; absent where there is nothing to say. */
  deviceNote?: string;
  /** Whether a call's bits are the same whatever else is in its batch: always so on the CPU. */
  isDeterministic: boolean;
  /** As it was asked for, or chosen by the weights. */
  precision: Precision;
  /** As it was asked for, or chosen by the precision. */
  kvCacheType: KvCacheType;
  /** Of the engine. */
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
export type Segment =
  | {
      /** Encoded without special tokens. */
      text: string;
    }
  | {
      /** Tokens as they are. */
      ids: TokenIds;
    }
  | {
      /** Vectors in the place of tokens' own, `[n, hiddenSize]`. */
      embeddings: Float32Array;
    };

/** Text (encoded without special tokens), ids, or a mix. */
export type Prompt = string | TokenIds | readonly Segment[];

/** Of `generate` and `chat`. */
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
  /** Layers of the network. */
  numHiddenLayers: number;
  /** Values of a hidden state. */
  hiddenSize: number;
  /** Heads of each layer, of `hiddenSize / numAttentionHeads` dimensions. */
  numAttentionHeads: number;
  /** Values inside the feed-forward part. */
  intermediateSize: number;
  /** Rows of the embedding; may exceed the tokenizer's. */
  vocabSize: number;
  /** Positions that it was trained for. */
  maxPositionEmbeddings: number;
  /** Share of a head's dimensions that are rotated, 0 to 1. */
  rotaryPct: number;
  /** Base of the rotary frequencies. */
  ropeTheta: number;
  /** How positions beyond the trained ones are rotated; null: as they are. */
  ropeScaling: {
    /** `linear`: positions are divided by the factor. `dynamic`: the base grows with the length. */
    type: 'linear' | 'dynamic';
    /** At least 1. */
    factor: number;
  } | null;
  /** Added to the variance in each norm. */
  layerNormEps: number;
  /** Of the feed-forward part: by the error function, or by its approximation with tanh. */
  hiddenAct: 'gelu' | 'gelu_new';
  /** Whether attention and feed-forward read the same input. */
  useParallelResidual: boolean;
  /** Begins a text; null where none is named. */
  bosTokenId: number | null;
  /** Ends a text; null where none is named. */
  eosTokenId: number | null;
  /** Fills up batches; null where none is named. */
  padTokenId: number | null;
  /** Stands for what has no token; null where none is named. */
  unkTokenId: number | null;
}

/** A token and how likely it was. */
export interface TokenLogprob {
  /** The token. */
  id: number;
  /** Natural logarithm of its probability. */
  logprob: number;
}

/** A token of the output. */
export interface GeneratedToken {
  /** The token. */
  id: number;
  /** With `logprobs`: natural logarithm of its probability. */
  logprob?: number;
  /** With a number as `logprobs`: the most likely tokens in its place, best first. */
  topLogprobs?: TokenLogprob[];
}

/**
 * A piece of output. Every id is delivered in exactly one chunk. `text` ends with a whole code point (an emoji or accent made of
 * several may come in parts) and is empty while one is incomplete, or while what follows may still change or end the text.
 */
export interface Chunk {
  /** Of the sequence in {@link Result.sequences}. */
  index: number;
  /** What is new. */
  text: string;
  /** What is new; may be empty where `text` is not. */
  tokens: GeneratedToken[];
}

/**
 * Why an output ended: by an end token, by a stop string, at `maxNewTokens` or the end of the context, at `maxTime`, or because
 * its reader left.
 */
export type FinishReason = 'eos' | 'stop' | 'length' | 'time' | 'cancelled';

/** Of all sequences; the prompt counts once. */
export interface Usage {
  /** Of the prompt, embedding rows included. */
  promptTokens: number;
  /** Delivered, end tokens included. */
  completionTokens: number;
  /** Of the prompt, what a session had computed before; see {@link SessionGenerateOptions.replace}. */
  cachedTokens: number;
}

/** Milliseconds, unless said otherwise. */
export interface Timings {
  /** From the call's start until the engine took it. */
  queueMs: number;
  /** From there to the first token. */
  prefillMs: number;
  /** From the first token to the last. */
  decodeMs: number;
  /** Of those that were not cached. */
  promptTokensPerSecond: number;
  /** Of the output, behind the first of each sequence. */
  tokensPerSecond: number;
  /** Tokens drafted by prompt lookup, and those of them that came true; see `promptLookupNumTokens`. */
  draftedTokens: number;
  /** See `draftedTokens`. */
  acceptedTokens: number;
}

/** One output. */
export interface SequenceResult {
  /** All of its text. */
  text: string;
  /** All new ids, the end token included. */
  tokenIds: number[];
  /** The same with their log-probabilities. */
  tokens: GeneratedToken[];
  /** Why it ended. */
  finishReason: FinishReason;
  /** Of a beam. */
  score?: number;
}

/** The outcome of a call; the top level repeats `sequences[0]`. */
export interface Result extends SequenceResult {
  /** `numReturnSequences` of them. */
  sequences: SequenceResult[];
  /** Tokens of the call. */
  usage: Usage;
  /** Times of the call. */
  timings: Timings;
  /** The one given, or the one drawn: with it the call can be repeated. */
  seed: number;
}

/** A part of a message: text, or an image as embeddings `[n, hiddenSize]`, row-major, for a chat format that has images. */
export type MessagePart =
  | {
      /** Special tokens in it are text. */
      text: string;
    }
  | {
      /** Vectors `[n, hiddenSize]`. */
      embeddings: Float32Array;
    };

/** What somebody said in a conversation. */
export interface Message {
  /** Who said it. */
  role: 'system' | 'user' | 'assistant';
  /** What was said. */
  content: string | readonly MessagePart[];
}
