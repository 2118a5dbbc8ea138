// Byte-level BPE around the merges: words of a text, bytes as characters, and back. As pre_tokenizers::byte_level and ::digits of
// the Rust library `tokenizers` 0.22.2.

import type { IdDecoder } from './tokenizer-kind.js';
import { withKnownClasses } from './unicode-versions.js';
import { Utf8Stream } from './utf8.js';

/** A step between normalization and bytes; `prefix` puts a space before each word that has none. */
export type WordStep = 'words' | 'digits' | 'numbers' | 'prefix';

/** GPT-2's, as files spell it. */
export const WORD_PATTERN =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

// White_Space; JavaScript's \s lacks U+0085 and has U+FEFF.
const SPACE = '\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const PATTERNS: Readonly<Record<Exclude<WordStep, 'prefix'>, RegExp>> = {
  words: new RegExp(
    `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${SPACE}\\p{L}\\p{N}]+|[${SPACE}]+(?![^${SPACE}])|[${SPACE}]+`,
    'gu',
  ),
  digits: /\p{N}|\P{N}+/gu,
  numbers: /\p{N}+|\P{N}+/gu,
};

/** The words of a text, in order. They join to the text but for the spaces that `prefix` adds. */
export function cutWords(text: string, steps: readonly WordStep[]): string[] {
  let words = text === '' ? [] : [text];
  for (const step of steps) {
    words =
      step === 'prefix'
        ? words.map((word) => (word.startsWith(' ') ? word : ` ${word}`))
        : words.flatMap((word) => cut(word, step));
  }
  return words;
}

function cut(text: string, step: Exclude<WordStep, 'prefix'>): string[] {
  const words: string[] = [];
  let at = 0;
  for (const match of withKnownClasses(text, step !== 'words').match(PATTERNS[step]) ?? []) {
    words.push(text.slice(at, at + match.length));
    at += match.length;
  }
  return words;
}

// Bytes that print stand for themselves, the others for U+0100 and on, in order.
const CHARS: readonly string[] = (() => {
  const prints = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(prints(byte) ? byte : next++));
})();
const BYTES: ReadonlyMap<string, number> = new Map(CHARS.map((char, byte) => [char, byte]));

/** The characters that stand for the 256 bytes. */
export const BYTE_CHARS: readonly string[] = CHARS;

const encoder = new TextEncoder();

/** A word's UTF-8 bytes as characters. */
export function bytesToChars(word: string): string {
  let chars = '';
  for (const byte of encoder.encode(word)) chars += CHARS[byte];
  return chars;
}

/** The bytes that a token stands for; a token with any other character stands for itself. */
export function tokenBytes(token: string): Uint8Array {
  const bytes = Array.from(token, (char) => BYTES.get(char));
  return bytes.includes(undefined) ? encoder.encode(token) : Uint8Array.from(bytes as number[]);
}

/** Decodes ids whose bytes are one UTF-8 text; ids that have none are passed over. */
export class ByteDecoder implements IdDecoder {
  readonly #bytesOf: (id: number) => Uint8Array | undefined;
  readonly #utf8 = new Utf8Stream();
  readonly pendingWhitespace = '';

  constructor(bytesOf: (id: number) => Uint8Array | undefined) {
    this.#bytesOf = bytesOf;
  }

  push(id: number): string {
    const bytes = this.#bytesOf(id);
    return bytes === undefined ? '' : this.#utf8.push(bytes);
  }

  flush(): string {
    return this.#utf8.flush();
  }
}
