// What a checkpoint says about itself, from its headers alone.

import { cardDefaults, detectChatFormat } from './chat.js';
import type { ChatFormat } from './chat-formats.js';
import { fromNative, NeoxError } from './errors.js';
import { readGenerationConfig } from './generation-config.js';
import { modelNameOf, resolveModelPath } from './hub-cache.js';
import { isCommit } from './hub-names.js';
import { modelNames } from './model-names.js';
import { native } from './native.js';
import type { NativeLoadOptions } from './native-load-types.js';
import { Tokenizer } from './tokenizer.js';
import type { FileType, GenerateOptions, ModelConfig, Precision, TensorType } from './types.js';

/** What is told of a checkpoint's tokenizer. */
export interface TokenizerInspection {
  /** How it segments text. */
  kind: 'sentencepiece' | 'byte-level BPE';
  /** Tokens of the vocabulary; the embedding may have more rows. */
  vocabSize: number;
  /** Begins a text; null where there is none. */
  bosTokenId: number | null;
  /** Ends a text; null where there is none. */
  eosTokenId: number | null;
  /** Fills up batches; null where there is none. */
  padTokenId: number | null;
  /** Stands for what has no token; null where there is none. */
  unkTokenId: number | null;
}

/** What of a model fits on the GPU now, with a KV cache for as many sequences as loading with these options would have. */
export interface GpuInspection {
  /** `NVIDIA H200`, ... */
  name: string;
  /** Of its memory; 0 where it does not tell. */
  totalBytes: number;
  /** Of its memory, now. */
  freeBytes: number;
  /** The most last layers that fit: what `device: 'auto'` would put there. */
  gpuLayers: number;
  /** What the whole model would take there. */
  memory: ModelMemory;
  /** What `gpuLayers` layers take there. */
  layersMemory: ModelMemory;
}

/** Bytes of memory. */
export interface ModelMemory {
  /** Of all tensors as loaded. */
  weightsBytes: number;
  /** Of `contextLength` positions for each sequence. */
  kvCacheBytes: number;
  /** What passes work in. */
  scratchBytes: number;
}

/** What a checkpoint's headers say. */
export interface ModelInspection {
  /** From the file, else the directory's name. */
  name: string;
  /** Type of most matrix elements. */
  type: TensorType;
  /** What the whole was asked to be, or says it is; absent where it says nothing. */
  fileType?: FileType;
  /** Bytes of tensor data that loading reads. */
  fileBytes: number;
  /** `GGUF 3`, `GGUF 2`, `safetensors` or `torch.save`. */
  format: string;
  /** The files that hold the weights. */
  files: {
    /** As it can be opened. */
    path: string;
    /** Its size. */
    bytes: number;
  }[];
  /** All that a GGUF file says beside its tensors; long lists are cut. */
  metadata: {
    /** `general.name`, ... */
    key: string;
    /** As GGUF calls it: `string`, `u32`, ... */
    type: string;
    /** As text. */
    value: string;
  }[];
  /** Whether text can be given, and not ids alone. */
  hasTokenizer: boolean;
  /** Absent where there is none that can be used. */
  tokenizer?: TokenizerInspection;
  /** Why the file's tokenizer cannot be used, where that is so; prompts are then ids. */
  tokenizerNote?: string;
  /** How conversations are written; undefined for a model that was not tuned on them. */
  chatFormat: Readonly<ChatFormat> | undefined;
  /** Settings that `chat` takes where a call gives none, and where they come from. */
  generationDefaults: Readonly<GenerateOptions>;
  /** Where `generationDefaults` come from. */
  generationDefaultsOrigin: 'generation_config.json' | 'model card' | 'none';
  /** Ids that end a text. */
  eosTokenIds: number[];
  /** The hyperparameters. */
  config: ModelConfig;
  /** Keys of config.json with their values, and where each came from: `file` or `default`. */
  origins: {
    /** As config.json spells it. */
    key: string;
    /** As text. */
    value: string;
    /** `file` or `default`. */
    origin: string;
  }[];
  /** As the file has them, and as loading with these options would make them. */
  tensors: {
    /** As the file calls it. */
    name: string;
    /** In the file. */
    type: TensorType;
    /** Outermost first. */
    shape: number[];
    /** In the file. */
    bytes: number;
    /** In memory. */
    loadedType: TensorType;
    /** In memory. */
    loadedBytes: number;
  }[];
  /** The arithmetic that loading with these options would choose. */
  precision: Precision;
  /** Positions that `memory` counts with. */
  contextLength: number;
  /** What loading on the CPU takes, with a KV cache for `maxSequences` sequences, one by default. */
  memory: ModelMemory;
  /** Absent unless `device` asked for it and there is one that can be used. */
  gpu?: GpuInspection;
  /** Why `gpu` is absent though it was asked for. */
  gpuNote?: string;
}

/** @throws FormatError, ArgumentError */
export async function inspectModel(path: string, options: NativeLoadOptions): Promise<ModelInspection> {
  try {
    const own = modelNameOf(path);
    const found = await native().inspect(resolveModelPath(path), options);
    const names = [found.name, ...modelNames(path)];
    const {
      isBpe,
      quantizedFrom: _,
      generationConfig,
      fileType,
      chatFormat,
      tokenizerNote,
      gpu,
      gpuNote,
      ...rest
    } = found;
    const { defaults, eosTokenIds } = readGenerationConfig(generationConfig);
    const isGiven = Object.keys(defaults).length > 0;
    const generationDefaults = isGiven ? defaults : cardDefaults(names);
    const isKnown = Object.keys(generationDefaults).length > 0;
    return {
      ...(rest as Pick<ModelInspection, Exclude<keyof typeof rest, 'eosTokenIds'>>),
      ...(fileType ? { fileType: fileType as FileType } : {}),
      ...(found.hasTokenizer ? await inspectTokenizer(path, isBpe) : { hasTokenizer: false }),
      ...(tokenizerNote === '' ? {} : { tokenizerNote }),
      ...(gpu === null ? {} : { gpu }),
      ...(gpuNote === '' ? {} : { gpuNote }),
      name: isCommit(found.name) ? own : found.name,
      chatFormat: detectChatFormat({ format: chatFormat || undefined, names }),
      generationDefaults,
      generationDefaultsOrigin: isGiven ? 'generation_config.json' : isKnown ? 'model card' : 'none',
      eosTokenIds: eosTokenIds ?? [...found.eosTokenIds],
    };
  } catch (error) {
    throw fromNative(error);
  }
}

type TokenizerParts = Pick<ModelInspection, 'hasTokenizer' | 'tokenizer' | 'tokenizerNote'>;

// Which tokenizer.json can be used, lib/ alone knows.
async function inspectTokenizer(path: string, isBpe: boolean): Promise<TokenizerParts> {
  try {
    const tokenizer = await Tokenizer.load(path);
    const {
      vocabSize,
      bosTokenId = null,
      eosTokenId = null,
      padTokenId = null,
      unkTokenId = null,
    } = tokenizer;
    const kind = isBpe ? 'byte-level BPE' : 'sentencepiece';
    return {
      hasTokenizer: true,
      tokenizer: { kind, vocabSize, bosTokenId, eosTokenId, padTokenId, unkTokenId },
    };
  } catch (error) {
    if (!(error instanceof NeoxError) || error.code !== 'ERR_NEOX_UNSUPPORTED') throw error;
    return { hasTokenizer: false, tokenizerNote: error.message };
  }
}
