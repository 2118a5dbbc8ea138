// The models that the user has added, kept from start to start.

import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** @typedef {import('./host-process.mjs').OfferedModel} OfferedModel */

export class ModelList {
  #file;
  /** @type {OfferedModel[]} */
  #models;

  /** @param {string} file */
  constructor(file) {
    this.#file = file;
    this.#models = read(file);
  }

  get models() {
    return this.#models;
  }

  /** @param {string} path - of a file that is not in the list @param {string} name */
  add(path, name) {
    const model = { id: randomUUID(), path, name };
    this.#models = [...this.#models, model];
    writeFileSync(this.#file, JSON.stringify(this.#models, null, 2));
    return model;
  }
}

/** @param {string} file @returns {OfferedModel[]} those whose files are still there */
function read(file) {
  try {
    /** @type {OfferedModel[]} */
    const models = JSON.parse(readFileSync(file, 'utf8'));
    return models.filter(({ path }) => existsSync(path));
  } catch {
    return []; // the first start
  }
}
