// What a checkpoint says about itself, from its headers alone.

import { detectChatFormat } from './chat.js';
import type { ChatFormat } from './chat-formats.js';
import { fromNative } from './errors.js';
import { modelNameOf, resolveModelPath } from './hub-cache.js';
import { isCommit } from './hub-names.js';
import { native } from './native.js';
import type { NativeLoadOptions } from './native-load-types.js';
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
      tokenizerConfig: _,
      generationConfig: __,
      eosTokenIds: ___,
      precision,
      fileType,
      quantizedFrom: ____,
      ...rest
    } = found;
    return {
      ...(rest as Pick<ModelInspection, keyof typeof rest>),
      ...(fileType ? { fileType: fileType as FileType } : {}),
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
