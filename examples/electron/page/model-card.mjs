// A model in the dialog: what its header says.

import { make } from './dom.mjs';
import { explain } from './errors.mjs';
import { bytes, count } from './format.mjs';

/** @typedef {import('./engine.mjs').Offer} Offer */

export class ModelCard {
  input = make('input', { type: 'radio', name: 'model' });
  #progress = make('progress', { max: 1, hidden: true });
  #note = make('span', { className: 'card-note', hidden: true });
  element;

  /** @param {Offer} offer @param {boolean} isCurrent - it is loaded */
  constructor({ id, name, summary, error }, isCurrent) {
    this.input.value = id;
    this.element = make(
      'label',
      { className: 'card' },
      this.input,
      make('span', { className: 'card-name' }, name, make('span', { hidden: !isCurrent }, '使用中')),
      make('span', { className: 'card-facts' }, summary ? facts(summary) : ''),
      this.#note,
      this.#progress,
    );
    if (error !== undefined) this.refuse(error);
    else if (summary && summary.chatFormat === null) this.#refuse('会話用に調整されていないモデルです。');
  }

  get canLoad() {
    return !this.input.disabled;
  }

  /** @param {number | undefined} part - from 0 to 1; undefined when nothing is being loaded */
  setProgress(part) {
    this.#progress.hidden = part === undefined;
    this.#progress.value = part ?? 0;
  }

  /** It cannot be loaded. @param {unknown} error */
  refuse(error) {
    const { title, cure, detail } = explain(error);
    this.#refuse(`${title}${cure}`);
    this.#note.title = detail;
  }

  /** @param {string} text */
  #refuse(text) {
    this.input.disabled = true;
    this.input.checked = false;
    this.#note.textContent = text;
    this.#note.hidden = false;
  }
}

/** @param {import('./engine.mjs').ModelSummary} summary */
export function facts({ fileType, type, fileBytes, contextLength, memoryBytes }) {
  return [
    fileType ?? type,
    bytes(fileBytes),
    `文脈 ${count(contextLength)} トークン`,
    `メモリ ${bytes(memoryBytes)}`,
  ].join('・');
}
