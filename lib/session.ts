// A conversation or text that goes on: a sequence that keeps its KV cache from call to call.

import { outputReplacements, renderPrompt } from './chat.js';
import type { ChatFormat } from './chat-formats.js';
import { DisposedError, fromNative, NeoxError } from './errors.js';
import { startGeneration } from './generate.js';
import { checkGenerateOptions, resolveGenerateOptions } from './generate-options.js';
import type { Generation } from './generation.js';
import { checkJobOptions, JOB_OPTIONS, type JobOptions, runJob } from './jobs.js';
import type { LoadedModel } from './loaded-model.js';
import type { NativeSession } from './native.js';
import { checkOverflowOptions, OVERFLOW_OPTIONS, promptLimit, withOverflow } from './overflow.js';
import type { OverflowOptions } from './overflow-types.js';
import { prepareChat, preparePrompt } from './prompt.js';
import type { RestoreOptions, SessionGenerateOptions } from './session-types.js';
import type { GenerateOptions, Message, Prompt } from './types.js';
import {
  assertBoolean,
  assertInteger,
  assertKnownOptions,
  assertObject,
  assertPath,
  unexpected,
} from './validate.js';

/** What generate() makes when the options name no number. */
export const DEFAULT_NEW_TOKENS = 256;

/**
 * Made by `Model.createSession`. One call runs at a time; another one meanwhile is `ERR_NEOX_BUSY`. The KV cache of a session
 * that waits may be taken by others; it is then computed again, to the same bits.
 */
export class Session {
  readonly #model: LoadedModel;
  readonly #native: NativeSession;
  readonly #overflow: OverflowOptions;
  #running: Generation | undefined;
  #isDisposed = false;

  /** @internal @param overflow - of calls that say nothing else */
  constructor(model: LoadedModel, session: NativeSession, overflow: OverflowOptions) {
    this.#model = model;
    this.#native = session;
    this.#overflow = overflow;
  }

  /** Index of the next token: how many the session holds, embedding rows included. */
  get position(): number {
    return this.#call((session) => session.length());
  }

  /** The tokens held; -1 stands for a row that was given as an embedding. */
  get tokenIds(): number[] {
    return this.#call((session) => Array.from(session.ids()));
  }

  /** Tokens that overflows of the context have dropped: `position + droppedTokens` never falls but by `truncate` and `replace`. */
  get droppedTokens(): number {
    return this.#call((session) => session.dropped());
  }

  /** Appends the prompt, or with `replace` begins anew with it, and generates. Options and defaults as for `Model.generate`. */
  generate(prompt: Prompt, options: SessionGenerateOptions = {}): Generation {
    const { isWhole, own, limit } = this.#check('Session.generate', options);
    const model = this.#model;
    const prepared = preparePrompt(model, prompt, 'prompt', limit);
    const defaults = own.preset === 'card' ? model.generationDefaults : {};
    return this.#start({
      options: resolveGenerateOptions(own, defaults, model.eosTokenIds),
      isWhole,
      prompt: () => prepared,
      defaultNewTokens: DEFAULT_NEW_TOKENS,
    });
  }

  /**
   * Appends messages to the conversation, in the model's own format, and answers. The answer is part of the conversation from
   * then on, so the next call brings only what is new. With `replace` a call brings the whole conversation, edited or not.
   */
  chat(messages: readonly Message[], options: SessionGenerateOptions = {}): Generation {
    const { isWhole, own, limit } = this.#check('Session.chat', options);
    const model = this.#model;
    const format = requireChatFormat(model);
    const tokenizer = model.requireTokenizer();
    const parts = renderPrompt(messages, format);
    const fresh = prepareChat(model, parts, limit);
    const separator = tokenizer.encode(format.separator, { addSpecialTokens: false });
    return this.#start({
      options: resolveGenerateOptions(own, model.generationDefaults, model.eosTokenIds),
      isWhole,
      prompt: () => {
        if (isWhole) return fresh;
        this.#dropEos();
        const ids = this.#native.ids();
        const tail = ids.subarray(Math.max(0, ids.length - separator.length));
        const isOpen = ids.length > 0 && !separator.every((id, index) => id === tail[index]);
        if (!isOpen) return fresh;
        return prepareChat(model, [{ text: format.separator, splitSpecialTokens: false }, ...parts], limit);
      },
      defaultNewTokens: Number.POSITIVE_INFINITY,
      replace: outputReplacements(format),
      // The format ends an utterance by its separator alone.
      ended: () => this.#dropEos(true),
    });
  }

  /**
   * Forgets everything from `position` on.
   * @throws ArgumentError for a position beyond the session's; `ERR_NEOX_BUSY` while a call runs
   */
  truncate(position: number): void {
    this.#assertAlive();
    assertInteger('position', position, 0, this.position);
    this.#call((session) => session.truncate(position));
  }

  /**
   * Another session with the same first tokens. It costs next to nothing: what the two share exists once.
   * @param position - @defaultValue all of it
   */
  fork(position: number = this.position): Session {
    this.#assertAlive();
    assertInteger('position', position, 0, this.position);
    return new Session(
      this.#model,
      this.#call((session) => session.fork(position)),
      this.#overflow,
    );
  }

  /**
   * Writes the session to a file, from which `Model.restoreSession` of the same model makes it again: tokens, embeddings and KV
   * cache. The file appears under its name when it is whole. Meanwhile the session is busy, other sessions go on. Progress is
   * in bytes.
   * @throws ArgumentError; `ERR_NEOX_BUSY` while a call runs, `ERR_NEOX_IO`, `ERR_NEOX_FILE_NOT_FOUND` (no such folder);
   * `signal.reason` after an abort
   */
  async save(path: string, options: JobOptions = {}): Promise<void> {
    this.#assertAlive();
    assertPath('path', path);
    assertKnownOptions('Session.save', options, JOB_OPTIONS);
    checkJobOptions(options);
    await runJob((report) => this.#native.save(path, report), options);
  }

  /** Gives the session's memory back. A call that runs rejects with `ERR_NEOX_DISPOSED`. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    void this.#running?.abandon(disposed());
    this.#native.dispose();
  }

  /** The same as `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #check(
    where: string,
    options: SessionGenerateOptions,
  ): { isWhole: boolean; own: GenerateOptions; limit: number } {
    this.#assertAlive();
    assertObject(`options of ${where}`, options);
    const { replace: isWhole = false, ...given } = options;
    assertBoolean('replace', isWhole);
    const own = withOverflow(given, this.#overflow);
    checkGenerateOptions(where, own);
    return { isWhole, own, limit: promptLimit(own, this.#model.info.contextLength) };
  }

  #start(call: Omit<Parameters<typeof startGeneration>[0], 'model' | 'session'>): Generation {
    if (call.options.numReturnSequences > 1) {
      throw unexpected('1 in a session', 'numReturnSequences', call.options.numReturnSequences);
    }
    const generation = startGeneration({
      ...call,
      model: this.#model,
      session: () => {
        this.#assertAlive();
        return this.#native;
      },
      started: () => {
        this.#running = generation;
      },
    });
    return generation;
  }

  #dropEos(mayFail = false): void {
    if (this.#isDisposed || this.#model.isDisposed) return;
    const last = this.#native.ids().at(-1);
    if (last === undefined || !this.#model.eosTokenIds.includes(last)) return;
    try {
      this.#call((session) => session.truncate(session.length() - 1));
    } catch (error) {
      // Another call was quicker; if it is a chat, it has done the same.
      if (!mayFail || !(error instanceof NeoxError) || error.code !== 'ERR_NEOX_BUSY') throw error;
    }
  }

  #assertAlive(): void {
    this.#model.assertAlive();
    if (this.#isDisposed) throw disposed();
  }

  #call<T>(run: (session: NativeSession) => T): T {
    this.#assertAlive();
    try {
      return run(this.#native);
    } catch (error) {
      throw fromNative(error);
    }
  }
}

/** @throws NeoxError `ERR_NEOX_UNSUPPORTED` */
export function requireChatFormat(model: LoadedModel): Readonly<ChatFormat> {
  if (model.chatFormat) return model.chatFormat;
  throw new NeoxError(
    'ERR_NEOX_UNSUPPORTED',
    `The model '${model.info.name}' has no known chat format: use generate(), or load it with a \`chatFormat\`.`,
  );
}

function disposed(): DisposedError {
  return new DisposedError('The session was disposed.');
}

/** @throws what `Model.restoreSession` throws */
export async function restoreSession(
  model: LoadedModel,
  path: string,
  options: RestoreOptions,
): Promise<Session> {
  assertPath('path', path);
  assertKnownOptions('Model.restoreSession', options, [...JOB_OPTIONS, 'recompute', ...OVERFLOW_OPTIONS]);
  checkJobOptions(options);
  const overflow = sessionOverflow(options);
  const { recompute = false } = options;
  assertBoolean('recompute', recompute);
  const session = await runJob(
    (report) => model.native.restoreSession(path, recompute, report),
    options,
    async (late) => late.dispose(),
  );
  return new Session(model, session, overflow);
}

/** @throws ArgumentError */
export function sessionOverflow(options: OverflowOptions): OverflowOptions {
  checkOverflowOptions(options);
  return withOverflow({}, options);
}
