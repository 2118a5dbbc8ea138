// decode() of transformers 4.57.6, one id at a time: what all tokenizers have in common. Source: tokenization_utils_base.py
// (clean_up_tokenization).

import { FilterChain } from './text-filter.js';
import type { Decoding, IdDecoder } from './tokenizer-kind.js';
import type { TokenIds } from './types.js';
import { countCodePoints, dropCodePoints } from './unicode.js';
import { assertTokenIds } from './validate.js';

/** Of `Tokenizer.decode`. */
export interface DecodeOptions {
  /** Leaves special tokens out. @defaultValue `false` */
  skipSpecialTokens?: boolean;
  /** Removes the spaces before English punctuation and contractions. @defaultValue the checkpoint's, else `false` */
  cleanUpTokenizationSpaces?: boolean;
  /** Puts spaces around added tokens that are not special; sentencepiece only. @defaultValue `true` */
  spacesBetweenSpecialTokens?: boolean;
}

/** Of `Tokenizer.createDecodeStream`. */
export interface DecodeStreamOptions extends DecodeOptions {
  /**
   * Ids before the first one pushed. With it the text is decode(prompt + ids) without as many characters as decode(prompt) has:
   * a leading space stays, as in Hugging Face's pipeline.
   */
  prompt?: TokenIds;
  /** Replacements in the decoded text, in this order: `[['<NL>', '\n']]`. */
  replace?: readonly (readonly [string, string])[];
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
  readonly #decoder: IdDecoder;
  readonly #cleanUp: FilterChain;
  readonly #cleansUp: boolean;
  readonly #replace: FilterChain;
  // Code points of the prompt's text that have not been dropped yet.
  #toDrop = 0;

  /** @internal Use `Tokenizer.createDecodeStream`. */
  constructor(tokenizer: Decoding, options: DecodeStreamOptions = {}) {
    this.#decoder = tokenizer.decoder({
      skipSpecialTokens: options.skipSpecialTokens ?? false,
      spacesBetweenSpecialTokens: options.spacesBetweenSpecialTokens ?? true,
    });
    this.#cleansUp = options.cleanUpTokenizationSpaces ?? tokenizer.cleanUpTokenizationSpaces;
    this.#cleanUp = new FilterChain(this.#cleansUp ? CLEAN_UP : []);
    this.#replace = new FilterChain(options.replace ?? []);
    if (options.prompt !== undefined && options.prompt.length > 0) {
      const { prompt, replace: _, ...rest } = options;
      const before = new DecodeStream(tokenizer, rest);
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
    for (let i = 0; i < ids.length; i++) text += this.#decoder.push(ids[i] as number);
    return this.#emit(this.#cleanUp.push(text));
  }

  /** The rest of the text. The stream must not be used after it. */
  flush(): string {
    const text = this.#cleanUp.push(this.#decoder.flush()) + this.#cleanUp.flush();
    return this.#emit(text) + this.#replace.flush();
  }

  /**
   * Text that has come and was not given: whitespace at the end, and the start of a replacement. What follows may change it.
   * @internal
   */
  get pendingText(): string {
    return this.#replace.held + this.#pendingWhitespace;
  }

  /**
   * What of it comes next if any text follows; without that, it is dropped.
   * @internal
   */
  get textIfFollowed(): string {
    return this.#replace.preview(this.#pendingWhitespace);
  }

  // Empty where it cannot be told.
  get #pendingWhitespace(): string {
    return this.#cleansUp || this.#toDrop > 0 ? '' : this.#decoder.pendingWhitespace;
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
