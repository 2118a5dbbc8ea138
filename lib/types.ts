// Option and result types shared by several files. Names are the camelCase of Hugging Face's, and so are the meanings.

/** Types that weights can have in a file. */
export type TensorType = 'F32' | 'F16' | 'BF16' | 'Q8_0' | 'Q4_0';

/** Arithmetic of the network; see {@link LoadOptions.precision}. */
export type Precision = 'exact' | 'high' | 'fast';

/** A progress report of long work. `done` and `total` share a unit (bytes, unless said otherwise). */
export interface Progress {
  done: number;
  total: number;
}

/** What a job that wrote a model file tells. */
export interface JobResult {
  /** Bytes of tensor data written. */
  tensorBytes: number;
  /** Tensors that became F16 because their rows are no multiple of the type's block. */
  fallbacks: string[];
}

/** How a loaded model runs. */
export interface ModelInfo {
  /** From the file, else the directory's name. */
  name: string;
  /** Type of most matrix elements. */
  type: TensorType;
  weightsBytes: number;
  device: 'cpu' | 'cuda';
  precision: Precision;
  kvCacheType: 'f32' | 'f16';
  threads: number;
  /** Positions that one sequence may hold. */
  contextLength: number;
  /** Positions that the KV pool holds, over all sequences. */
  kvCachePositions: number;
}

export interface LoadOptions {
  /**
   * `exact`: f32 arithmetic and f32 KV. `high`: f32 arithmetic on weights as stored, f16 KV. `fast`: int8 products for the
   * prompt and about 15 bits for decoding, on quantized weights; f16 KV.
   * @defaultValue `exact` for F32 weights, `high` for F16 and BF16, `fast` for quantized ones
   */
  precision?: Precision;
  /** Quantizes the matrices to this type while loading. @defaultValue as the file has them */
  type?: TensorType;
  /** `auto` takes the best device that works. @defaultValue `'auto'` */
  device?: 'auto' | 'cpu' | 'cuda';
  /** Threads of the engine, 1 to 256. @defaultValue the physical cores that this process may use */
  threads?: number;
  /** Positions that one sequence may hold. More than the checkpoint's maxPositionEmbeddings is a warning. */
  contextLength?: number;
  /** @defaultValue `f32` under `exact`, else `f16` */
  kvCacheType?: 'f32' | 'f16';
  /** Sequences that are planned for; bounds the KV pool. @defaultValue `4` */
  maxSequences?: number;
  /** Bytes of the KV pool. @defaultValue maxSequences x contextLength positions */
  kvCacheBytes?: number;
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

/** What decides how much memory a model takes. */
export type InspectOptions = Pick<
  LoadOptions,
  'contextLength' | 'type' | 'precision' | 'kvCacheType' | 'maxSequences' | 'kvCacheBytes'
>;

/** A part of a prompt. Embeddings are `[n, hiddenSize]`, row-major. */
export type Segment = { text: string } | { ids: ArrayLike<number> } | { embeddings: Float32Array };

/** Text (encoded without special tokens), ids, or a mix. */
export type Prompt = string | ArrayLike<number> | readonly Segment[];

export interface SamplerOptions {
  /** Absent: sampling when `temperature` > 0 or any of topK, topP, minP, typicalP, epsilonCutoff, etaCutoff is set. */
  doSample?: boolean;
  /** 0 is greedy. @defaultValue `1` when sampling */
  temperature?: number;
  /** Keeps the `topK` most likely tokens; 0 keeps all. @defaultValue `50` when sampling */
  topK?: number;
  /** Keeps the smallest set of tokens whose probability reaches `topP`. @defaultValue `1` (off) */
  topP?: number;
  /** Drops tokens less likely than `minP` times the most likely one. @defaultValue `0` (off) */
  minP?: number;
  typicalP?: number;
  epsilonCutoff?: number;
  etaCutoff?: number;
  /** Over prompt and output; 1 is off. */
  repetitionPenalty?: number;
  noRepeatNgramSize?: number;
  badWordsIds?: readonly (readonly number[])[];
  sequenceBias?: readonly (readonly [readonly number[], number])[];
  minLength?: number;
  minNewTokens?: number;
  forcedBosTokenId?: number;
  forcedEosTokenId?: number | readonly number[];
  exponentialDecayLengthPenalty?: readonly [number, number];
  suppressTokens?: readonly number[];
  beginSuppressTokens?: readonly number[];
  renormalizeLogits?: boolean;
  /** One id, several, or `null` for none. @defaultValue the checkpoint's */
  eosTokenId?: number | readonly number[] | null;
  /** 0 to 2^53 - 1. The same seed and the same logits give the same ids everywhere. @defaultValue random */
  seed?: number;
}

export interface GenerateOptions extends SamplerOptions {
  /** @defaultValue `256` for `generate`, the rest of the context for `chat` */
  maxNewTokens?: number;
  /** Strings that end the text; they are never delivered. */
  stop?: string | readonly string[];
  /** Milliseconds after which the call ends with `finishReason: 'time'`. */
  maxTime?: number;
  /** `decode`: text is decode(new ids). `continuation`: decode(prompt + new) after decode(prompt). @defaultValue `'decode'` */
  text?: 'decode' | 'continuation';
  /** @defaultValue `true` */
  skipSpecialTokens?: boolean;
  /** Takes the model card's generation settings as defaults. */
  preset?: 'card';
  /**
   * A step of your own between the penalties and temperature, topK, ...: changes `scores` (`[vocabSize]`) in place.
   * `ids` are prompt and output so far. Other sequences go on meanwhile.
   */
  logitsProcessor?: (ids: readonly number[], scores: Float32Array) => void;
  /** Adds the log-probability of each token, and of the most likely `n` where a number is given (0 to 20). */
  logprobs?: boolean | number;
  signal?: AbortSignal;
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

/** A piece of output. Every id is delivered in exactly one chunk; `text` may be empty while a character is incomplete. */
export interface Chunk {
  index: number;
  text: string;
  tokens: GeneratedToken[];
}

export type FinishReason = 'eos' | 'stop' | 'length' | 'time' | 'cancelled';

export interface Usage {
  promptTokens: number;
  completionTokens: number;
}

/** Milliseconds. */
export interface Timings {
  /** From the call's start until the engine took it. */
  queueMs: number;
  prefillMs: number;
  decodeMs: number;
  promptTokensPerSecond: number;
  tokensPerSecond: number;
}

export interface SequenceResult {
  text: string;
  tokenIds: number[];
  tokens: GeneratedToken[];
  finishReason: FinishReason;
}

/** The outcome of a call; the top level repeats `sequences[0]`. */
export interface Result extends SequenceResult {
  sequences: SequenceResult[];
  usage: Usage;
  timings: Timings;
  seed: number;
}

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface LogitsOptions {
  /** Rising, counted from 0. @defaultValue `'last'` */
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
