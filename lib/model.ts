// The face of the package: a loaded model.

import { outputReplacements, renderPrompt } from './chat.js';
import type { ChatFormat } from './chat-formats.js';
import { fromNative } from './errors.js';
import { startGeneration } from './generate.js';
import { checkGenerateOptions, resolveGenerateOptions } from './generate-options.js';
import type { Generation } from './generation.js';
import { inspectModel, type ModelInspection } from './inspection.js';
import { loadModel } from './load.js';
import { checkInspectOptions } from './load-options.js';
import type { InspectOptions, LoadOptions } from './load-types.js';
import type { LoadedModel } from './loaded-model.js';
import { OVERFLOW_OPTIONS, promptLimit } from './overflow.js';
import type { OverflowOptions } from './overflow-types.js';
import type { ModelProfile } from './profile-types.js';
import { prepareChat, preparePrompt } from './prompt.js';
import type { EmbedOptions, PositionOptions, ReadOptions, Rows, Score } from './row-types.js';
import { readEmbedding, readHiddenStates, readInputEmbeddings, readLogits, readScore } from './rows.js';
import {
  DEFAULT_NEW_TOKENS,
  requireChatFormat,
  restoreSession,
  Session,
  sessionOverflow,
} from './session.js';
import type { RestoreOptions } from './session-types.js';
import type { Tokenizer } from './tokenizer.js';
import type { GenerateOptions, Message, ModelConfig, ModelInfo, Prompt, TokenIds } from './types.js';
import { assertKnownOptions, assertString } from './validate.js';

/**
 * A model on a device. Calls of any number may run at once; they share its batches and its threads.
 *
 * @example
 * const model = await Model.load('model.gguf');
 * for await (const chunk of model.generate('吾輩は')) process.stdout.write(chunk.text);
 * await model.dispose();
 */
export class Model {
  readonly #model: LoadedModel;
  #disposal: Promise<void> | undefined;

  private constructor(model: LoadedModel) {
    this.#model = model;
  }

  /**
   * Loads a .gguf file, a Hugging Face directory, or a pulled repository by its name. Weights are shared by all loads of one
   * file in the process, worker threads included.
   * @throws FormatError, ArgumentError; `ERR_NEOX_FILE_NOT_FOUND`, `ERR_NEOX_OUT_OF_MEMORY`; `signal.reason` after an abort
   */
  static async load(path: string, options: LoadOptions = {}): Promise<Model> {
    return new Model(await loadModel(path, options));
  }

  /** What a checkpoint says, and the memory that it needs; reads its headers only. */
  static async inspect(path: string, options: InspectOptions = {}): Promise<ModelInspection> {
    assertString('path', path);
    return inspectModel(path, checkInspectOptions(options));
  }

  /** The checkpoint's hyperparameters. */
  get config(): Readonly<ModelConfig> {
    return this.#model.config;
  }

  /** How the model runs: device, precision, threads, ... */
  get info(): Readonly<ModelInfo> {
    return this.#model.info;
  }

  /** Whether text can be given, and not ids alone. */
  get hasTokenizer(): boolean {
    return this.#model.tokenizer !== undefined;
  }

  /** @throws NeoxError `ERR_NEOX_NO_TOKENIZER` where there is none; prompts are then ids */
  get tokenizer(): Tokenizer {
    return this.#model.requireTokenizer();
  }

  /** How conversations are written for this model; undefined for one that was not tuned on them. */
  get chatFormat(): Readonly<ChatFormat> | undefined {
    return this.#model.chatFormat;
  }

  /** From generation_config.json, else the model card's. `chat` uses them, `generate` with `preset: 'card'`. */
  get generationDefaults(): Readonly<GenerateOptions> {
    return this.#model.generationDefaults;
  }

  /**
   * Continues a prompt: text (encoded without special tokens), ids, or segments of text, ids and embeddings.
   * @throws ArgumentError, ContextFullError for a prompt longer than the context; what is found later, the first read rejects
   * with
   */
  generate(prompt: Prompt, options: GenerateOptions = {}): Generation {
    const model = this.#alive();
    checkGenerateOptions('Model.generate', options);
    const limit = promptLimit(options, model.info.contextLength);
    const prepared = preparePrompt(model, prompt, 'prompt', limit);
    const defaults = options.preset === 'card' ? model.generationDefaults : {};
    return startGeneration({
      model,
      options: resolveGenerateOptions(options, defaults, model.eosTokenIds),
      prompt: () => prepared,
      defaultNewTokens: DEFAULT_NEW_TOKENS,
    });
  }

  /**
   * Answers a conversation in the model's own format. `Session.chat` keeps what it has computed from turn to turn.
   * @throws ArgumentError; `ERR_NEOX_UNSUPPORTED` for a model without a chat format
   */
  chat(messages: readonly Message[], options: GenerateOptions = {}): Generation {
    const model = this.#alive();
    checkGenerateOptions('Model.chat', options);
    const format = requireChatFormat(model);
    const limit = promptLimit(options, model.info.contextLength);
    const prepared = prepareChat(model, renderPrompt(messages, format), limit);
    return startGeneration({
      model,
      options: resolveGenerateOptions(options, model.generationDefaults, model.eosTokenIds),
      prompt: () => prepared,
      defaultNewTokens: Number.POSITIVE_INFINITY,
      replace: outputReplacements(format),
    });
  }

  /**
   * An empty session. Its calls take the options given here where they bring none of their own.
   * @throws ArgumentError
   */
  createSession(options: OverflowOptions = {}): Session {
    const model = this.#alive();
    assertKnownOptions('Model.createSession', options, OVERFLOW_OPTIONS);
    const overflow = sessionOverflow(options);
    try {
      return new Session(model, model.native.createSession(), overflow);
    } catch (error) {
      throw fromNative(error);
    }
  }

  /**
   * A session as `Session.save` wrote it: what follows is bit for bit what would have followed there, on the same instruction
   * set. Of its KV cache comes what the pool can take; the rest is computed again. Progress is in bytes.
   * @throws FormatError for a file that is no session or damaged, ContextFullError; `ERR_NEOX_SESSION_MISMATCH` for one of
   * another model or, without `recompute`, of other settings; `ERR_NEOX_FILE_NOT_FOUND`, `ERR_NEOX_IO`; `signal.reason`
   * after an abort
   */
  async restoreSession(path: string, options: RestoreOptions = {}): Promise<Session> {
    return restoreSession(this.#alive(), path, options);
  }

  /**
   * The logits `[positions, vocabSize]` of a prompt; `positions` rise and count its rows from 0.
   * @throws ArgumentError, ContextFullError; `signal.reason` after an abort
   */
  async logits(prompt: Prompt, options: PositionOptions = {}): Promise<Rows> {
    return readLogits(this.#alive(), prompt, options);
  }

  /**
   * The hidden states `[positions, hiddenSize]` behind the last layer and the final norm, which the head makes logits of;
   * `positions` as for `logits`.
   * @throws ArgumentError, ContextFullError; `signal.reason` after an abort
   */
  async hiddenStates(prompt: Prompt, options: PositionOptions = {}): Promise<Rows> {
    return readHiddenStates(this.#alive(), prompt, options);
  }

  /**
   * The log-probability of a continuation, text or ids, after a context of at least one token. The two are encoded apart.
   * @throws ArgumentError, ContextFullError; `signal.reason` after an abort
   */
  async score(context: Prompt, continuation: string | TokenIds, options: ReadOptions = {}): Promise<Score> {
    return readScore(this.#alive(), context, continuation, options);
  }

  /** From now on passes are measured by operation, at a cost of less than a microsecond for each layer. Begins anew. */
  startProfile(): void {
    this.#alive().native.startProfile();
  }

  /** What was measured since `startProfile`; zeros where nothing was. */
  endProfile(): ModelProfile {
    return this.#alive().native.endProfile();
  }

  /**
   * The model's input vectors of tokens, `[ids, hiddenSize]`.
   * @throws ArgumentError
   */
  async inputEmbeddings(ids: TokenIds): Promise<Rows> {
    return readInputEmbeddings(this.#alive(), ids);
  }

  /**
   * One vector `[hiddenSize]` for a text: its hidden states after the final norm, pooled.
   * @throws ArgumentError, ContextFullError; `signal.reason` after an abort
   */
  async embed(text: Prompt, options: EmbedOptions = {}): Promise<Float32Array> {
    return readEmbedding(this.#alive(), text, options);
  }

  /** Gives all memory back. Calls that run reject with `ERR_NEOX_DISPOSED`. A second call waits for the first. */
  dispose(): Promise<void> {
    this.#model.isDisposed = true;
    this.#disposal ??= this.#model.native.dispose();
    return this.#disposal;
  }

  /** The same as `dispose`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #alive(): LoadedModel {
    this.#model.assertAlive();
    return this.#model;
  }
}
