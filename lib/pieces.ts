// The vocabulary of a sentencepiece model, asked for piece by piece: to hand over tens of thousands of strings at once, and to make
// maps of them, would block the JavaScript thread at the end of every load.

import type { NativeTokenizer } from './native-types.js';

/**
 * Pieces in the addon; those that were asked for are kept. No two are equal: native/checkpoint/spiece_validate.cpp refuses such a
 * model.
 */
export class Pieces {
  readonly length: number;
  readonly #native: NativeTokenizer;
  readonly #known = new Map<number, string>();

  constructor(native: NativeTokenizer) {
    this.#native = native;
    this.length = native.size();
  }

  at(id: number): string | undefined {
    const known = this.#known.get(id);
    if (known !== undefined || !(Number.isInteger(id) && id >= 0 && id < this.length)) return known;
    const piece = this.#native.piece(id);
    this.#known.set(id, piece);
    return piece;
  }

  idOf(piece: string): number | undefined {
    const id = this.#native.pieceToId(piece);
    return this.at(id) === piece ? id : undefined;
  }
}
