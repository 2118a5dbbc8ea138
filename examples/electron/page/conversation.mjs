// A conversation: what was said, and the answer that is being written.

import { AnswerView, errorMessage, userMessage } from './messages.mjs';

/** @typedef {import('gpt-neox').Message} Message */
/** @typedef {import('./engine.mjs').Engine} Engine */

export class Conversation {
  /** @type {Message[]} */
  #messages = [];
  #engine;
  #log;
  #onChange;
  /** @type {AbortController | undefined} of the answer that is being written */
  #answering;

  /**
   * @param {Engine} engine
   * @param {HTMLElement} log
   * @param {() => void} onChange - an answer began, grew or ended, or everything was forgotten
   */
  constructor(engine, log, onChange) {
    this.#engine = engine;
    this.#log = log;
    this.#onChange = onChange;
  }

  get isAnswering() {
    return this.#answering !== undefined;
  }

  get isEmpty() {
    return this.#log.childElementCount === 0;
  }

  /** @param {string} text */
  async say(text) {
    // What was never answered is not part of the conversation: formats want turns.
    if (this.#messages.at(-1)?.role === 'user') this.#messages.pop();
    for (const error of this.#log.querySelectorAll('.error')) error.remove();
    this.#messages.push({ role: 'user', content: text });
    this.#log.append(userMessage(text));
    await this.#answer();
  }

  stop() {
    this.#answering?.abort();
  }

  /** Begins anew. */
  clear() {
    this.stop();
    this.#messages = [];
    this.#log.replaceChildren();
    this.#onChange();
  }

  async #answer() {
    const messages = this.#messages;
    const controller = new AbortController();
    const view = new AnswerView();
    this.#answering = controller;
    this.#log.append(view.element);
    this.#onChange();
    try {
      const result = await this.#engine.answer(
        [...messages],
        (chunk) => {
          view.append(chunk);
          this.#onChange();
        },
        controller.signal,
      );
      if (result.text !== '') messages.push({ role: 'assistant', content: result.text });
      view.finish(result);
    } catch (error) {
      view.abandon();
      if (messages === this.#messages) this.#log.append(errorMessage(error, () => void this.#answer()));
    } finally {
      if (this.#answering === controller) this.#answering = undefined;
      this.#onChange();
    }
  }
}
