// decode() of the slow T5Tokenizer, transformers 4.57.6, one id at a time. Sources: tokenization_utils.py (_decode),
// tokenization_t5.py (convert_tokens_to_string), tokenization_utils_base.py (clean_up_tokenization).

import { PieceDecoder, type PieceTable } from './piece-decoder.js';
import { FilterChain } from './text-filter.js';
import type { TokenIds } from './types.js';
import { countCodePoints, dropCodePoints, stripEnd, stripStart } from './unicode.js';
import { assertTokenIds } from './validate.js';

export interface DecodeOptions {
  /** Leaves special tokens out. @defaultValue `false` */
  skipSpecialTokens?: boolean;
  /** Removes the spaces before English punctuation and contractions. @defaultValue the checkpoint's, else `false` */
  cleanUpTokenizationSpaces?: boolean;
  /** Puts spaces around added tokens that are not special. @defaultValue `true` */
  spacesBetweenSpecialTokens?: boolean;
}

export interface DecodeStreamOptions extends DecodeOptions {
  /**
   * Ids before the first one pushed. With it the text is decode(prompt + ids) without as many characters as decode(prompt) has:
   * a leading space stays, as in Hugging Face's pipeline.
   */
  prompt?: TokenIds;
  /** Replacements in the decoded text, in this order: `[['<NL>', '\n']]`. */
  replace?: readonly (readonly [string, string])[];
}

/** What the stream must know of a tokenizer. */
export interface DecodeRules {
  readonly table: PieceTable;
  readonly addPrefixSpace: boolean;
  readonly special: ReadonlySet<string>;
  readonly specialIds: ReadonlySet<number>;
  readonly separated: ReadonlySet<string>;
  /** @throws ArgumentError when the id is none of the tokenizer's */
  tokenOf(id: number): string;
}

const CLEAN_UP: readonly (readonly [string, string])[] = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

/**
 * Turns ids into text as they come. The pieces of text join to what `decode` gives for all ids at once; none ends inside a
 * character. Kept back is only what later ids may still change: incomplete characters, whitespace at the end, and, after a
 * special token in the text, everything up to the next one.
 */
export class DecodeStream {
  readonly #rules: DecodeRules;
  readonly #skipSpecial: boolean;
  readonly #separator: string;
  readonly #cleanUp: FilterChain;
  readonly #cleansUp: boolean;
  readonly #replace: FilterChain;
  #segment: Segment;
  #segments = 0;
  // Code points of the prompt's text that have not been dropped yet.
  #toDrop = 0;

  /** @internal Use `Tokenizer.createDecodeStream`. */
  constructor(rules: DecodeRules, options: DecodeStreamOptions = {}) {
    this.#rules = rules;
    this.#skipSpecial = options.skipSpecialTokens ?? false;
    this.#separator = (options.spacesBetweenSpecialTokens ?? true) ? ' ' : '';
    this.#cleansUp = options.cleanUpTokenizationSpaces ?? false;
    this.#cleanUp = new FilterChain(this.#cleansUp ? CLEAN_UP : []);
    this.#replace = new FilterChain(options.replace ?? []);
    this.#segment = new Segment(rules);
    if (options.prompt !== undefined && options.prompt.length > 0) {
      const { prompt, replace: _, ...rest } = options;
      const before = new DecodeStream(rules, rest);
      this.#toDrop = countCodePoints(before.push(prompt) + before.flush());
      this.push(prompt);
    }
  }

  /**
   * Takes ids; returns the text that is now certain.
   * @throws ArgumentError when an id is none of the tokenizer's
   */
  push(ids: TokenIds): string {
    assertTokenIds('ids', ids);
    let text = '';
    for (let i = 0; i < ids.length; i++) text += this.#token(ids[i] as number);
    return this.#emit(this.#cleanUp.push(text));
  }

  /** The rest of the text. The stream must not be used after it. */
  flush(): string {
    let text = this.#segment.used ? this.#join(this.#segment.end(), true) : '';
    text = this.#cleanUp.push(text) + this.#cleanUp.flush();
    return this.#emit(text) + this.#replace.flush();
  }

  /** Whitespace that comes next if any text follows, and is dropped otherwise. Empty where that cannot be told. */
  get pendingWhitespace(): string {
    return this.#cleansUp || this.#toDrop > 0 ? '' : this.#segment.pendingWhitespace;
  }

  #token(id: number): string {
    const { special, specialIds, separated } = this.#rules;
    const token = this.#rules.tokenOf(id);
    if (this.#skipSpecial && (specialIds.has(id) || special.has(token))) return '';
    if (!separated.has(token)) return this.#join(this.#segment.push(token), false);
    const before = this.#segment.used ? this.#join(this.#segment.end(), false) : '';
    this.#segment = new Segment(this.#rules);
    return before + this.#lead() + token;
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

  #emit(text: string): string {
    let rest = text;
    if (this.#toDrop > 0) {
      rest = dropCodePoints(text, this.#toDrop);
      this.#toDrop -= Math.min(this.#toDrop, countCodePoints(text));
    }
    return this.#replace.push(rest);
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
    const rest = this.#started ? this.pendingWhitespace + text : stripStart(text);
    const body = stripEnd(rest);
    this.#started ||= body !== '';
    this.pendingWhitespace = rest.slice(body.length);
    return body;
  }
}
