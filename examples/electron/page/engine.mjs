// The engine as this page knows it: one connection to the host, one model, one session.

import { connect } from '/gpt-neox.mjs';
import { openPort } from './port.mjs';

/** @typedef {import('gpt-neox').Message} Message */
/** @typedef {import('gpt-neox').Chunk} Chunk */
/** @typedef {import('gpt-neox').Result} Result */
/** @typedef {import('gpt-neox/electron-client').ModelSummary} ModelSummary */
/** @typedef {{ id: string, name: string, summary?: ModelSummary, error?: unknown }} Offer */
/** @typedef {'idle' | 'loading' | 'ready' | 'lost'} State */

/** An answer ends here, if the model does not end it. */
const MAX_NEW_TOKENS = 2048;

export class Engine {
  /** @type {State} */
  state = 'idle';
  /** Of a load, from 0 to 1. */
  progress = 0;
  /** The model that is loaded or being loaded. @type {ModelSummary | undefined} */
  summary;
  #onChange;
  /** @type {import('gpt-neox/electron-client').Client | undefined} */
  #client;
  /** @type {import('gpt-neox/electron-client').RemoteModel | undefined} */
  #model;
  /** @type {import('gpt-neox/electron-client').RemoteSession | undefined} */
  #session;
  /** @type {{ controller: AbortController, ended: Promise<void> } | undefined} the last load */
  #loading;

  /** @param {() => void} onChange - called whenever `state`, `progress` or `summary` has changed */
  constructor(onChange) {
    this.#onChange = onChange;
    window.app.onHostExit(() => this.#client?.close());
  }

  /** Connects to the host, which is started anew where it is gone. */
  async start() {
    const client = connect(await openPort());
    this.#client = client;
    this.#model = undefined;
    this.#session = undefined;
    this.#set('idle');
    client.closed.then(() => {
      if (this.#client === client) this.#set('lost');
    });
  }

  /** What can be loaded, each with what its header says or why it cannot be read. @returns {Promise<Offer[]>} */
  async offers() {
    const client = this.#connected();
    return Promise.all(
      (await client.models()).map((model) =>
        client.inspect(model.id).then(
          (summary) => ({ ...model, summary }),
          (error) => ({ ...model, error }),
        ),
      ),
    );
  }

  /**
   * Takes a model in place of the one before. One at a time: a load that runs is given up, and rejects with an AbortError.
   * @param {string} id @param {AbortSignal} [signal]
   */
  load(id, signal) {
    const before = this.#loading;
    before?.controller.abort();
    const controller = new AbortController();
    const either = signal ? AbortSignal.any([signal, controller.signal]) : controller.signal;
    const loaded = (async () => {
      await before?.ended;
      await this.#load(id, either);
    })();
    this.#loading = { controller, ended: loaded.catch(() => undefined) };
    return loaded;
  }

  /** @param {string} id @param {AbortSignal} signal */
  async #load(id, signal) {
    const client = this.#connected();
    const summary = await client.inspect(id);
    signal.throwIfAborted();
    await this.#release();
    this.summary = summary;
    this.#set('loading', 0);
    try {
      /** @param {{ done: number, total: number }} progress */
      const onProgress = ({ done, total }) => this.#set('loading', total > 0 ? done / total : 1);
      this.#model = await client.load(id, { onProgress, signal });
      this.#session = await this.#model.createSession({ contextOverflow: 'shift' });
      this.#set('ready');
    } catch (error) {
      await this.#release();
      this.summary = undefined;
      if (this.state === 'loading') this.#set('idle');
      throw error;
    }
  }

  /**
   * Answers a conversation. What it begins with is computed once: the session holds it from the turn before.
   * @param {Message[]} messages
   * @param {(chunk: Chunk) => void} onChunk
   * @param {AbortSignal} signal - stops it; the result then has what was said
   * @returns {Promise<Result>}
   */
  async answer(messages, onChunk, signal) {
    if (!this.#session) throw new Error('There is no model.');
    const generation = this.#session.chat(messages, { replace: true, maxNewTokens: MAX_NEW_TOKENS });
    const chunks = generation[Symbol.asyncIterator]();
    signal.addEventListener('abort', () => void chunks.return?.(), { once: true });
    for await (const chunk of chunks) onChunk(chunk);
    return generation.result();
  }

  async #release() {
    const model = this.#model;
    this.#model = undefined;
    this.#session = undefined;
    await model?.dispose();
  }

  #connected() {
    if (!this.#client) throw new Error('There is no connection.');
    return this.#client;
  }

  /** @param {State} state @param {number} [progress] */
  #set(state, progress = 0) {
    this.state = state;
    this.progress = progress;
    this.#onChange();
  }
}
