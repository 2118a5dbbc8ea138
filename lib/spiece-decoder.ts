// _decode() of the slow T5Tokenizer, transformers 4.57.6, one id at a time. Sources: tokenization_utils.py (_decode),
// tokenization_t5.py (convert_tokens_to_string).

import { PieceDecoder, type PieceTable } from './piece-decoder.js';
import type { IdDecoder, IdDecoderOptions } from './tokenizer-kind.js';
import { stripEnd, stripStart } from './unicode.js';

/** What the decoder must know of a tokenizer. */
export interface DecodeRules {
  readonly table: PieceTable;
  readonly addPrefixSpace: boolean;
  readonly special: ReadonlySet<string>;
  readonly specialIds: ReadonlySet<number>;
  readonly separated: ReadonlySet<string>;
  /** @throws ArgumentError when the id is none of the tokenizer's */
  tokenOf(id: number): string;
}

/**
 * Kept back is what later ids may still change: incomplete characters, whitespace at the end, and, after a special token in the
 * text, everything up to the next one.
 */
export class SpieceDecoder implements IdDecoder {
  readonly #rules: DecodeRules;
  readonly #skipSpecial: boolean;
  readonly #separator: string;
  #segment: Segment;
  #segments = 0;

  constructor(rules: DecodeRules, options: IdDecoderOptions) {
    this.#rules = rules;
    this.#skipSpecial = options.skipSpecialTokens;
    this.#separator = options.spacesBetweenSpecialTokens ? ' ' : '';
    this.#segment = new Segment(rules);
  }

  get pendingWhitespace(): string {
    return this.#segment.pendingWhitespace;
  }

  push(id: number): string {
    const { special, specialIds, separated } = this.#rules;
    const token = this.#rules.tokenOf(id);
    if (this.#skipSpecial && (specialIds.has(id) || special.has(token))) return '';
    if (!separated.has(token)) return this.#join(this.#segment.push(token), false);
    const before = this.#segment.used ? this.#join(this.#segment.end(), false) : '';
    this.#segment = new Segment(this.#rules);
    return before + this.#lead() + token;
  }

  flush(): string {
    return this.#segment.used ? this.#join(this.#segment.end(), true) : '';
  }

  // Text of the current segment, with the separator before its first. An empty last segment has a separator too.
  #join(text: string, last: boolean): string {
    if (this.#segment.joined || (text === '' && !last)) return text;
    this.#segment.joined = true;
    return this.#lead() + text;
  }

  #lead(): string {
    return this.#segments++ > 0 ? this.#separator : '';
  }
}

// convert_tokens_to_string() over the tokens between two separated ones.
class Segment {
  readonly #rules: DecodeRules;
  #pieces: PieceDecoder;
  #afterSpecial = false;
  // Text since the last special token: another special token would put a space before it.
  #held: string | undefined;
  #started = false;
  pendingWhitespace = '';
  used = false;
  joined = false;

  constructor(rules: DecodeRules) {
    this.#rules = rules;
    this.#pieces = new PieceDecoder(rules.table);
  }

  push(token: string): string {
    const { addPrefixSpace, special, table } = this.#rules;
    const name = !this.used && addPrefixSpace && token.startsWith('\u2581') ? token.slice(1) : token;
    this.used = true;
    if (!special.has(name)) {
      this.#afterSpecial = false;
      const text = this.#pieces.push(name);
      if (this.#held === undefined) return this.#strip(text);
      this.#held += text;
      return '';
    }
    // The space before the first special token would stand at the very start and is stripped.
    const space = this.#afterSpecial || this.#held === undefined ? '' : ' ';
    const text = space + (this.#held ?? '') + this.#pieces.flush() + name;
    this.#pieces = new PieceDecoder(table);
    this.#held = '';
    this.#afterSpecial = true;
    return this.#strip(text);
  }

  end(): string {
    const text = this.#strip((this.#held ?? '') + this.#pieces.flush());
    this.pendingWhitespace = '';
    return text;
  }

  #strip(text: string): string {
    const rest = this.#started ? text : stripStart(text);
    const body = stripEnd(rest);
    if (body === '') {
      this.pendingWhitespace += rest;
      return '';
    }
    const certain = this.pendingWhitespace + body;
    this.#started = true;
    this.pendingWhitespace = rest.slice(body.length);
    return certain;
  }
}
