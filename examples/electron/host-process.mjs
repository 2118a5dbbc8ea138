// The process of the models: a crash or a lack of memory there leaves the app alive.

import { fileURLToPath } from 'node:url';
import { utilityProcess } from 'electron';

/** @typedef {{ id: string, path: string, name: string }} OfferedModel */

export class HostProcess {
  #models;
  #onExit;
  /** @type {Electron.UtilityProcess | undefined} */
  #child;
  /** @type {Map<string, () => void>} those who wait until the host knows a model */
  #waiting = new Map();

  /** @param {{ models: () => OfferedModel[], onExit: (code: number) => void }} options */
  constructor({ models, onExit }) {
    this.#models = models;
    this.#onExit = onExit;
  }

  /**
   * Hands a page's port to the host, which is started where it does not run, and ends the one that the page had.
   * @param {number} page @param {Electron.MessagePortMain} port
   */
  serve(page, port) {
    this.#running().postMessage({ type: 'serve', page }, [port]);
  }

  /** Resolves when pages can load it. @param {OfferedModel} model */
  async addModel(model) {
    if (!this.#child) return; // it will be told when it starts
    const known = new Promise((resolve) => this.#waiting.set(model.id, () => resolve(undefined)));
    this.#child.postMessage({ type: 'add', model });
    await known;
  }

  #running() {
    if (this.#child) return this.#child;
    const path = fileURLToPath(new URL('host.mjs', import.meta.url));
    const child = utilityProcess.fork(path, [], { serviceName: 'gpt-neox' });
    child.on('message', ({ added }) => this.#settle(added));
    child.once('exit', (code) => {
      if (this.#child === child) this.#child = undefined;
      for (const id of this.#waiting.keys()) this.#settle(id);
      this.#onExit(code);
    });
    for (const model of this.#models()) child.postMessage({ type: 'add', model });
    this.#child = child;
    return child;
  }

  /** @param {string} id */
  #settle(id) {
    this.#waiting.get(id)?.();
    this.#waiting.delete(id);
  }
}
