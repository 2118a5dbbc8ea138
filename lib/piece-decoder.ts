// SentencePieceProcessor::Decode of sentencepiece 0.2.1 over pieces given by name, one piece at a time.

import { FormatError } from './errors.js';
import { type NativeTokenizerFlags, PIECE_TYPE } from './native-types.js';
import { sequenceLength } from './utf8.js';

const REPLACEMENT = '\ufffd';

/** Names, types and decoding rules of a vocabulary. */
export interface PieceTable {
  readonly flags: NativeTokenizerFlags;
  /** The type of a piece; that of the unknown piece for a name that is none. */
  typeOf(piece: string): number;
  readonly unkPiece: string;
}

/** Decodes one run of pieces. */
export class PieceDecoder {
  readonly #table: PieceTable;
  #bytes: number[] = [];
  #empty = true;
  #atStart = true;
  #spaceSeen = false;

  constructor(table: PieceTable) {
    this.#table = table;
  }

  /** The text that is certain after this piece; an incomplete character is kept back. */
  push(piece: string): string {
    const type = this.#table.typeOf(piece);
    if (type === PIECE_TYPE.byte) {
      this.#bytes.push(byteOf(piece));
      return this.#count(this.#drain(false));
    }
    const pending = this.#count(this.#drain(true));
    if (this.#spaceSeen || !this.#empty) this.#atStart = false;
    return pending + this.#count(this.#surface(piece, type));
  }

  /** What is kept back, when nothing follows: one U+FFFD for each byte. */
  flush(): string {
    return this.#drain(true);
  }

  #count(text: string): string {
    if (text !== '') this.#empty = false;
    return text;
  }

  #surface(piece: string, type: number): string {
    const flags = this.#table.flags;
    this.#spaceSeen = false;
    if (type === PIECE_TYPE.control) return '';
    if (type === PIECE_TYPE.unknown) return piece === this.#table.unkPiece ? flags.unkSurface : piece;
    let text = piece;
    if (
      this.#atStart &&
      (flags.addDummyPrefix || flags.removeExtraWhitespaces) &&
      text.startsWith('\u2581')
    ) {
      text = text.slice(1);
      this.#spaceSeen = !flags.removeExtraWhitespaces;
    }
    return text.replaceAll('\u2581', ' ');
  }

  #drain(final: boolean): string {
    let text = '';
    let at = 0;
    while (at < this.#bytes.length) {
      const length = sequenceLength(this.#bytes, at);
      if (length === 0 && !final) break;
      text += length > 0 ? decodeSequence(this.#bytes, at, length) : REPLACEMENT;
      at += Math.max(1, length);
    }
    this.#bytes = this.#bytes.slice(at);
    return text;
  }
}

function byteOf(piece: string): number {
  const match = /^<0x([0-9A-F]{2})>$/.exec(piece);
  if (match === null)
    throw new FormatError('ERR_NEOX_FORMAT_VALUE', `The byte piece '${piece}' names no byte.`);
  return Number.parseInt(match[1] ?? '', 16);
}

function decodeSequence(bytes: readonly number[], at: number, length: number): string {
  let point = length === 1 ? (bytes[at] ?? 0) : (bytes[at] ?? 0) & (0x7f >> length);
  for (let i = 1; i < length; i++) point = (point << 6) | ((bytes[at + i] ?? 0) & 0x3f);
  return String.fromCodePoint(point);
}
