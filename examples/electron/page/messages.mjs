// What was said, as elements of the log.

import { make } from './dom.mjs';
import { explain } from './errors.mjs';
import { count, rate } from './format.mjs';

/** @typedef {import('gpt-neox').Result} Result */

/** @type {Partial<Record<Result['finishReason'], string>>} */
const endings = { cancelled: '途中で止めました', length: '長さの上限で終わりました' };

/** @param {string} text */
export function userMessage(text) {
  return make('li', { className: 'user' }, make('p', { className: 'text' }, text));
}

/** An answer that is being written. */
export class AnswerView {
  #text = make('p', { className: 'text' });
  #meta = make('p', { className: 'meta' });
  element = make(
    'li',
    { className: 'assistant' },
    make('img', { className: 'leaf', src: 'leaf.svg', alt: 'モデル' }),
    make('div', {}, this.#text, this.#meta),
  );
  #tokens = 0;
  #firstAt = 0;

  constructor() {
    this.element.ariaBusy = 'true';
  }

  /** @param {import('gpt-neox').Chunk} chunk */
  append({ text, tokens }) {
    const now = performance.now();
    if (this.#tokens === 0) this.#firstAt = now;
    this.#tokens += tokens.length;
    if (text !== '') this.#text.append(text);
    const seconds = (now - this.#firstAt) / 1000;
    if (seconds > 0.5)
      this.#tell([`${count(this.#tokens)} トークン`, `${rate(this.#tokens / seconds)} トークン/秒`]);
  }

  /** @param {Result} result */
  finish({ text, usage, timings, finishReason }) {
    this.element.ariaBusy = 'false';
    this.#text.textContent = text;
    const { completionTokens } = usage;
    const facts = [`${count(completionTokens)} トークン`];
    if (timings.tokensPerSecond > 0) facts.push(`${rate(timings.tokensPerSecond)} トークン/秒`);
    const ending = endings[finishReason];
    this.#tell(ending ? [...facts, ending] : facts);
  }

  /** What was written stays; without any, the element goes. */
  abandon() {
    this.element.ariaBusy = 'false';
    if (this.#text.textContent === '') this.element.remove();
  }

  /** @param {string[]} facts */
  #tell(facts) {
    this.#meta.textContent = facts.join('・');
  }
}

/** @param {unknown} error @param {() => void} onRetry */
export function errorMessage(error, onRetry) {
  const { title, cure, detail } = explain(error);
  const retry = make('button', { className: 'plain', type: 'button' }, 'もう一度送る');
  const element = make(
    'li',
    { className: 'error', role: 'alert' },
    make('p', {}, make('strong', {}, title), cure),
    make('details', {}, make('summary', {}, '詳細'), make('code', {}, detail)),
    retry,
  );
  retry.addEventListener('click', () => {
    element.remove();
    onRetry();
  });
  return element;
}
