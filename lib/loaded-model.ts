// A loaded model as sessions and generations see it: the native model with its texts read.

import { cardDefaults, detectChatFormat, resolveChatFormat } from './chat.js';
import type { ChatFormat } from './chat-formats.js';
import { ContextFullError, DisposedError, fromNative, NeoxError } from './errors.js';
import { readGenerationConfig } from './generation-config.js';
import { modelNameOf } from './hub-cache.js';
import { isCommit } from './hub-names.js';
import { modelNames } from './model-names.js';
import type { NativeCall, NativeModel, NativeRequest } from './native.js';
import type { TokenizerFiles } from './native-types.js';
import { Tokenizer } from './tokenizer.js';
import type { GenerateOptions, ModelConfig, ModelInfo } from './types.js';

/** Positions of a block of the KV pool: kKvBlock of native/model/kv_pool.h. */
const KV_BLOCK = 64;

export class LoadedModel {
  readonly native: NativeModel;
  readonly config: Readonly<ModelConfig>;
  readonly info: Readonly<ModelInfo>;
  readonly tokenizer: Tokenizer | undefined;
  readonly chatFormat: Readonly<ChatFormat> | undefined;
  readonly generationDefaults: Readonly<GenerateOptions>;
  readonly eosTokenIds: readonly number[];
  /** Quantized weights were quantized again, to another type. */
  readonly isRequantized: boolean;
  readonly #tokenizerNote: string;
  isDisposed = false;

  /** @throws FormatError for a tokenizer_config.json or generation_config.json that is not what it must be */
  constructor(model: NativeModel, path: string, chatFormat?: string | Readonly<ChatFormat>) {
    const {
      chatFormat: ownFormat,
      tokenizerNote,
      generationConfig,
      eosTokenIds,
      fileType,
      isRequantized,
      deviceNote,
      ...info
    } = model.info();
    const { defaults, eosTokenIds: eos } = readGenerationConfig(generationConfig);
    const own = modelNameOf(path);
    // Its own names first: what it was made from may have talked otherwise.
    const names = [info.name, ...modelNames(path)];
    this.native = model;
    // What is given out is shared, formats and settings of cards even by all models: nobody changes it for others.
    this.config = Object.freeze(model.config());
    // A snapshot of the cache is a folder named by its commit.
    const name = isCommit(info.name) ? own : info.name;
    this.info = Object.freeze({
      ...info,
      ...(fileType ? { fileType } : {}),
      ...(deviceNote ? { deviceNote } : {}),
      name,
    } as ModelInfo);
    this.isRequantized = isRequantized;
    const { tokenizer, note = tokenizerNote } = openTokenizer(model.tokenizer());
    this.tokenizer = tokenizer;
    this.#tokenizerNote = note;
    this.chatFormat = Object.freeze(
      chatFormat === undefined
        ? detectChatFormat({ format: ownFormat || undefined, names })
        : resolveChatFormat(chatFormat),
    );
    this.generationDefaults = Object.freeze(
      Object.keys(defaults).length > 0 ? defaults : cardDefaults(names),
    );
    this.eosTokenIds = eos ?? [...eosTokenIds];
  }

  /** @throws DisposedError */
  assertAlive(): void {
    if (this.isDisposed) throw new DisposedError('The model was disposed.');
  }

  /** @throws NeoxError `ERR_NEOX_NO_TOKENIZER` */
  requireTokenizer(): Tokenizer {
    if (this.tokenizer) return this.tokenizer;
    throw new NeoxError(
      'ERR_NEOX_NO_TOKENIZER',
      `The model '${this.info.name}' has no tokenizer: give token ids. ${this.#tokenizerNote}`.trimEnd(),
    );
  }

  /** @throws DisposedError, ContextFullError, ArgumentError; `ERR_NEOX_BUSY` */
  submit(request: NativeRequest): NativeCall {
    this.assertAlive();
    try {
      return this.native.submit(request);
    } catch (error) {
      throw fromNative(error);
    }
  }

  /** What `submit` would say of a prompt and its output. @throws ContextFullError */
  assertFits(promptTokens: number, newTokens: number): void {
    const { contextLength, kvCachePositions } = this.info;
    const isTooLong = promptTokens + newTokens > contextLength;
    if (!isTooLong && promptTokens + newTokens <= kvCachePositions) return;
    const limit = isTooLong ? `context of ${contextLength}` : `KV pool of ${kvCachePositions} (kvCacheBytes)`;
    throw new ContextFullError(
      isTooLong ? 'ERR_NEOX_CONTEXT_FULL' : 'ERR_NEOX_KV_FULL',
      `The prompt of ${promptTokens} tokens and ${newTokens} new tokens exceed the ${limit}.`,
    );
  }

  /** Positions that a sequence can have. */
  get positions(): number {
    const { contextLength, kvCachePositions } = this.info;
    return Math.min(contextLength, kvCachePositions);
  }

  /** The same for each of several beams behind a prompt: they share its whole blocks, and one more is needed to copy the last. */
  beamPositions(promptTokens: number, numBeams: number): number {
    const { contextLength, kvCachePositions } = this.info;
    const shared = Math.floor(promptTokens / KV_BLOCK);
    const free = kvCachePositions / KV_BLOCK - shared - (promptTokens % KV_BLOCK === 0 ? 0 : 1);
    return Math.min(contextLength, KV_BLOCK * (shared + Math.max(0, Math.floor(free / numBeams))));
  }
}

// A tokenizer of an unknown kind is none: the model still takes ids.
function openTokenizer(files: TokenizerFiles | null): { tokenizer: Tokenizer | undefined; note?: string } {
  if (!files) return { tokenizer: undefined };
  try {
    return { tokenizer: new Tokenizer(files) };
  } catch (error) {
    if (!(error instanceof NeoxError) || error.code !== 'ERR_NEOX_UNSUPPORTED') throw error;
    return { tokenizer: undefined, note: error.message };
  }
}
