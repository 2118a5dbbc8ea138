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
  device?: string;
  gpuLayers?: number;
  deterministic?: boolean;
  /** Absolute path of the device library; absent where there is none. */
  cudaLibrary?: string;
  /** Why there is none. */
  cudaAbsence?: string;
}

export interface NativeDevice {
  device: string;
  isUsable: boolean;
  /** Why not, or empty. */
  reason: string;
  name: string;
  driver: string;
  /** 0: not known. */
  totalBytes: number;
  freeBytes: number;
}

/** Fields of TypeRules in native/model/type_mix.h. */
export interface NativeTypeRules {
  type?: string;
  pure?: boolean;
  overrides?: { pattern: string; type: string }[];
}

interface NativeMemory {
  weightsBytes: number;
  kvCacheBytes: number;
  scratchBytes: number;
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
  memory: NativeMemory;
  gpu: {
    name: string;
    totalBytes: number;
    freeBytes: number;
    gpuLayers: number;
    memory: NativeMemory;
    layersMemory: NativeMemory;
  } | null;
  /** Why `gpu` is null though it was asked for, or empty. */
  gpuNote: string;
}
