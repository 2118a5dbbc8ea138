// What a checkpoint says about itself, from its headers alone.

import { detectChatFormat } from './chat.js';
import type { ChatFormat } from './chat-formats.js';
import { fromNative, NeoxError } from './errors.js';
import { modelNameOf, resolveModelPath } from './hub-cache.js';
import { isCommit } from './hub-names.js';
import { native } from './native.js';
import type { NativeLoadOptions } from './native-load-types.js';
import { Tokenizer } from './tokenizer.js';
import type { FileType, ModelConfig, Precision, TensorType } from './types.js';

export interface ModelInspection {
  name: string;
  /** Type of most matrix elements. */
  type: TensorType;
  /** What the whole was asked to be, or says it is; absent where it says nothing. */
  fileType?: FileType;
  /** Bytes of tensor data that loading reads. */
  fileBytes: number;
  hasTokenizer: boolean;
  /** Why the file's tokenizer cannot be used, where that is so; prompts are then ids. */
  tokenizerNote?: string;
  chatFormat: Readonly<ChatFormat> | undefined;
  config: ModelConfig;
  /** Keys of config.json with their values, and where each came from: `file` or `default`. */
  origins: { key: string; value: string; origin: string }[];
  /** As the file has them, and as loading with these options would make them. */
  tensors: {
    name: string;
    type: TensorType;
    shape: number[];
    bytes: number;
    loadedType: TensorType;
    loadedBytes: number;
  }[];
  precision: Precision;
  /** Positions that `memory` counts with. */
  contextLength: number;
  /** What loading takes, with a KV cache for one sequence. */
  memory: { weightsBytes: number; kvCacheBytes: number; scratchBytes: number };
}

/** @throws FormatError, ArgumentError */
export async function inspectModel(path: string, options: NativeLoadOptions): Promise<ModelInspection> {
  try {
    const own = modelNameOf(path);
    const found = await native().inspect(resolveModelPath(path), { maxSequences: 1, ...options });
    const {
      chatFormat,
      isBpe,
      tokenizerNote,
      generationConfig: _,
      eosTokenIds: __,
      precision,
      fileType,
      quantizedFrom: ____,
      ...rest
    } = found;
    const note = isBpe ? await refusal(path) : tokenizerNote;
    return {
      ...(rest as Pick<ModelInspection, keyof typeof rest>),
      ...(fileType ? { fileType: fileType as FileType } : {}),
      ...(note === '' ? {} : { hasTokenizer: false, tokenizerNote: note }),
      name: isCommit(found.name) ? own : found.name,
      precision: precision as Precision,
      chatFormat: detectChatFormat({
        format: chatFormat || undefined,
        names: [found.name, own],
      }),
    };
  } catch (error) {
    throw fromNative(error);
  }
}

// Which tokenizer.json can be used, lib/ alone knows.
async function refusal(path: string): Promise<string> {
  try {
    await Tokenizer.load(path);
    return '';
  } catch (error) {
    if (error instanceof NeoxError && error.code === 'ERR_NEOX_UNSUPPORTED') return error.message;
    throw error;
  }
}
