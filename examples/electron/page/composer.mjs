// Where messages are written. Enter sends, except while an input method composes: there it accepts the candidate.

import { byId } from './dom.mjs';

export class Composer {
  #form = byId('composer');
  #input = byId('input');
  #send = byId('send');
  #stop = byId('stop');
  #isReady = false;
  #isBusy = false;

  /** @param {{ onSend: (text: string) => void, onStop: () => void }} listeners */
  constructor({ onSend, onStop }) {
    this.#form.addEventListener('submit', (/** @type {Event} */ event) => {
      event.preventDefault();
      if (!this.#canSend()) return;
      const text = this.#input.value.trim().toWellFormed();
      this.#input.value = '';
      this.#update();
      onSend(text);
    });
    this.#input.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
      // 229: the input method has taken the key, also where the browser ends the composition first.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
    this.#input.addEventListener('input', () => this.#update());
    this.#stop.addEventListener('click', onStop);
    addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.#isBusy && !event.isComposing) onStop();
    });
    this.#update();
  }

  /** @param {{ isReady: boolean, isBusy: boolean }} state - whether there is a model, and whether it is answering */
  set({ isReady, isBusy }) {
    const hadFocus = document.activeElement === this.#stop || document.activeElement === this.#send;
    this.#isReady = isReady;
    this.#isBusy = isBusy;
    this.#update();
    if (hadFocus) this.focus();
  }

  focus() {
    this.#input.focus();
  }

  #canSend() {
    return this.#isReady && !this.#isBusy && this.#input.value.trim() !== '';
  }

  #update() {
    this.#send.hidden = this.#isBusy;
    this.#stop.hidden = !this.#isBusy;
    this.#send.disabled = !this.#canSend();
  }
}
