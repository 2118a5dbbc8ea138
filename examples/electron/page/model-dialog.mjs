// Choosing a model: a list of headers, then one load.

import { byId, make } from './dom.mjs';
import { explain } from './errors.mjs';
import { ModelCard } from './model-card.mjs';

/** @typedef {import('./engine.mjs').Engine} Engine */

export class ModelDialog {
  #dialog = byId('models');
  #cards = byId('cards');
  #load = byId('load-model');
  #close = byId('close-models');
  #engine;
  /** @type {ModelCard[]} */
  #list = [];
  /** @type {AbortController | undefined} of a load */
  #loading;

  /** @param {Engine} engine */
  constructor(engine) {
    this.#engine = engine;
    byId('models-form').addEventListener('submit', (/** @type {Event} */ event) => {
      event.preventDefault();
      void this.#take();
    });
    byId('add-model').addEventListener('click', async () => {
      try {
        const id = await window.app.addModel();
        if (id !== null) await this.#fill(id);
      } catch (error) {
        this.#tell(error);
      }
    });
    this.#close.addEventListener('click', () => this.#leave());
    this.#dialog.addEventListener('cancel', () => this.#loading?.abort());
    this.#cards.addEventListener('change', () => this.#update());
  }

  async open() {
    this.#cards.replaceChildren();
    this.#dialog.showModal();
    try {
      await this.#fill();
    } catch (error) {
      this.#tell(error);
    }
  }

  close() {
    this.#dialog.close();
  }

  get isLoading() {
    return this.#loading !== undefined;
  }

  /** The engine's progress. @param {number} part - from 0 to 1 */
  setProgress(part) {
    if (this.#loading) this.#chosen()?.setProgress(part);
  }

  /** @param {string} [added] - is chosen, if it can be loaded; else the model in use */
  async #fill(added) {
    const legend = make('legend', { className: 'unseen' }, 'モデル');
    const offers = await this.#engine.offers();
    const current = this.#engine.summary?.id;
    this.#list = offers.map((offer) => new ModelCard(offer, offer.id === current));
    this.#cards.replaceChildren(legend, ...this.#list.map(({ element }) => element));
    const able = this.#list.filter(({ canLoad }) => canLoad);
    const card = [added, current].map((id) => able.find(({ input }) => input.value === id)).find(Boolean);
    if (card) card.input.checked = true;
    (card ?? able[0])?.input.focus();
    this.#update();
  }

  /** There is no list. @param {unknown} error */
  #tell(error) {
    const { title, cure, detail } = explain(error);
    this.#list = [];
    this.#cards.replaceChildren(
      make('p', { className: 'card-note', role: 'alert', title: detail }, title, cure),
    );
    this.#update();
  }

  #chosen() {
    return this.#list.find(({ input }) => input.checked);
  }

  async #take() {
    const card = this.#chosen();
    if (!card) return;
    const controller = new AbortController();
    this.#loading = controller;
    this.#update();
    try {
      await this.#engine.load(card.input.value, controller.signal);
      this.#dialog.close();
    } catch (error) {
      if (!controller.signal.aborted) card.refuse(error);
    } finally {
      this.#loading = undefined;
      card.setProgress(undefined);
      this.#update();
    }
  }

  #leave() {
    if (this.#loading) this.#loading.abort();
    else this.#dialog.close();
  }

  #update() {
    const isLoading = this.#loading !== undefined;
    this.#cards.disabled = isLoading;
    this.#load.disabled = isLoading || !this.#chosen();
    this.#load.textContent = isLoading ? '読み込み中…' : '読み込む';
    this.#close.textContent = isLoading ? '中止' : '閉じる';
  }
}
