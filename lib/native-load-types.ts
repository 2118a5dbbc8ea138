// The raw binding's options of loading, and what it tells of a file.

import type { ModelConfig } from './types.js';

export interface NativeLoadOptions {
  type?: string;
  precision?: string;
  kvCacheType?: string;
  threads?: number;
  contextLength?: number;
  maxSequences?: number;
  kvCacheBytes?: number;
}

/** Fields of TypeRules in native/model/type_mix.h. */
export interface NativeTypeRules {
  type?: string;
  pure?: boolean;
  overrides?: { pattern: string; type: string }[];
}

export interface NativeInspection {
  name: string;
  format: string;
  files: { path: string; bytes: number }[];
  metadata: { key: string; type: string; value: string }[];
  chatFormat: string;
  hasTokenizer: boolean;
  /** Whether the tokenizer is a tokenizer.json. */
  isBpe: boolean;
  /** Why there is no tokenizer though there seems to be one, or empty. */
  tokenizerNote: string;
  generationConfig: string;
  config: ModelConfig;
  eosTokenIds: Int32Array;
  origins: { key: string; value: string; origin: string }[];
  tensors: {
    name: string;
    type: string;
    shape: number[];
    bytes: number;
    loadedType: string;
    loadedBytes: number;
  }[];
  type: string;
  /** Empty where the file says nothing of it. */
  fileType: string;
  /** See lib/quantized-cache.ts; empty in other files. */
  quantizedFrom: string;
  fileBytes: number;
  contextLength: number;
  precision: string;
  memory: { weightsBytes: number; kvCacheBytes: number; scratchBytes: number };
}
