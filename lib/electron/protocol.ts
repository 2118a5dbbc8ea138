// What a page and the host of the models say to each other. Nothing here needs Node.

import type {
  Chunk,
  ErrorCode,
  FileType,
  GenerateOptions,
  Message,
  ModelConfig,
  ModelInfo,
  OverflowOptions,
  Prompt,
  SessionGenerateOptions,
  TensorType,
} from '../index.js';

/** Chunks that a page lets the host send before it has read any. */
export const FIRST_CREDIT = 16;
/** The most chunks that may be under way, whatever a page grants. */
export const MAX_CREDIT = 256;
/** The most requests of one page that may be unanswered, and the most models and sessions that it may hold. */
export const MAX_OPEN = 64;
/** The most that one request may hold: UTF-16 units of all its strings, */
export const MAX_TEXT = 1_000_000;
/** list entries and fields of objects, */
export const MAX_VALUES = 10_000;
/** bytes of typed arrays (ids, embeddings), */
export const MAX_BYTES = 64 * 2 ** 20;
/** and `drySequenceBreakers`, each of which is looked for in every token. */
export const MAX_BREAKERS = 100;

/** A model that a page may ask for. */
export interface ModelName {
  /** What `inspect` and `load` take. */
  id: string;
  /** For people. */
  name: string;
}

/** What the header of a model says; nothing else was read. */
export interface ModelSummary extends ModelName {
  /** Type of most matrix elements. */
  type: TensorType;
  /** What the whole was asked to be, or says it is; absent where it says nothing. */
  fileType?: FileType;
  /** `GGUF 3`, `safetensors`, ... */
  format: string;
  /** Bytes of tensor data that loading reads. */
  fileBytes: number;
  /** Positions that one sequence will hold. */
  contextLength: number;
  /** What loading takes, with a KV cache for one sequence. */
  memoryBytes: number;
  /** The checkpoint's hyperparameters. */
  config: ModelConfig;
  /** Without one, prompts are ids. */
  hasTokenizer: boolean;
  /** Name of the format of its conversations; null for a model that was not tuned on any. */
  chatFormat: string | null;
}

/** What a page learns of a model that it has loaded. */
export interface LoadedSummary {
  /** How it runs: device, precision, threads, ...; without `deviceNote`, which may name paths of the host. */
  info: Omit<ModelInfo, 'deviceNote'>;
  /** The checkpoint's hyperparameters. */
  config: ModelConfig;
  /** Without one, prompts are ids. */
  hasTokenizer: boolean;
  /** Name of the format of its conversations; null for a model that was not tuned on any. */
  chatFormat: string | null;
  /** Settings that `chat` takes where a call gives none. */
  generationDefaults: GenerateOptions;
}

/** Options of a call that can cross: all but functions and signals. `replace` is for sessions alone. */
export type WireOptions = Omit<SessionGenerateOptions, 'signal' | 'logitsProcessor'>;

/** An error of the package on its way through a port. */
export interface WireError {
  /** Stable; the one to handle errors by. */
  code: ErrorCode;
  /** For people. */
  message: string;
  /** Of its class. */
  name: string;
}

/**
 * What a page asks for. Each has an `id`, a positive integer above those before it; under the id of `load` and `createSession`
 * lives what they made, and `target` names it. `credit` and `cancel` carry the id of the request that they are about.
 */
export type Request = { id: number } & (
  | RequestBody
  | { type: 'credit'; chunks: number }
  | { type: 'cancel' }
);

export type RequestBody =
  | { type: 'models' }
  | { type: 'inspect' | 'load'; model: string }
  | { type: 'createSession'; target: number; options?: OverflowOptions | undefined }
  | GenerationBody
  | { type: 'dispose'; target: number };

export type GenerationBody = { target: number; credit: number; options?: WireOptions | undefined } & (
  | { type: 'chat'; messages: readonly Message[] }
  | { type: 'generate'; prompt: Prompt }
);

/** What the host answers: any number of `progress` or `chunk`, then one `result` or `error`. */
export type Reply = { id: number } & (
  | { type: 'progress'; done: number; total: number }
  | { type: 'chunk'; chunk: Chunk }
  | { type: 'result'; value?: unknown }
  | { type: 'error'; error: WireError }
);
