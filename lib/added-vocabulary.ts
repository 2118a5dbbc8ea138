// Tokens beside the vocabulary of a tokenizer.json: their ids, and where they are in a text. As the AddedVocabulary of the Rust
// library `tokenizers` 0.22.2 (tokenizer/added_vocabulary.rs), without regard for the ids that the file gives them.

import { LongestMatch } from './longest-match.js';
import type { AddedToken } from './tokenizer-config.js';

/** A half-open range of UTF-16 units. */
export interface Range {
  start: number;
  end: number;
}

/** A stretch of text; with an id, one token. */
export interface Section extends Range {
  id: number | undefined;
}

const SPACE = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
const WORD_AT_END = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d]$/u;
const WORD_AT_START = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d]/u;

interface Matcher {
  match: LongestMatch;
  tokens: [number, AddedToken][];
}

export class AddedVocabulary {
  readonly #model: { idOf(token: string): number | undefined; size: number };
  readonly #idOf = new Map<string, number>();
  readonly #byId = new Map<number, AddedToken>();
  readonly #special = new Set<string>();
  readonly #normalize: (text: string) => string;
  #largestId = -1;
  #matchers: { raw: Matcher; normalized: Matcher } | undefined;

  /** @param model - the vocabulary without added tokens, and its number of tokens */
  constructor(
    model: { idOf(token: string): number | undefined; size: number },
    normalize: (text: string) => string,
  ) {
    this.#model = model;
    this.#normalize = normalize;
  }

  /** Tokens that the vocabulary has keep their ids, the others follow it. A token added before takes the new flags. */
  add(tokens: readonly AddedToken[]): void {
    for (const token of tokens) if (token.special) this.#special.add(token.content);
    for (const token of tokens) {
      if (token.content === '') continue;
      const id = this.idOf(token.content) ?? Math.max(this.#largestId + 1, this.#model.size);
      this.#idOf.set(token.content, id);
      this.#byId.set(id, token);
      this.#largestId = Math.max(this.#largestId, id);
    }
    this.#matchers = undefined;
  }

  idOf(token: string): number | undefined {
    return this.#idOf.get(token) ?? this.#model.idOf(token);
  }

  /** By id. */
  get tokens(): ReadonlyMap<number, AddedToken> {
    return this.#byId;
  }

  /** Whether `skipSpecialTokens` leaves it out. */
  isSpecial(content: string): boolean {
    return this.#special.has(content);
  }

  /**
   * The text cut at added tokens. Those that are looked for in normalized text are found in it alone, the others in text as it
   * was.
   * @param plain - where special tokens are text; ascending
   */
  split(text: string, isNormalized: boolean, plain: readonly Range[]): Section[] {
    this.#matchers ??= this.#buildMatchers();
    const { match, tokens } = isNormalized ? this.#matchers.normalized : this.#matchers.raw;
    const sections: Section[] = [];
    let done = 0;
    let found = match.find(text, 0);
    for (let next = 0; found !== undefined; found = match.find(text, next)) {
      const [id, token] = tokens[found.word] as [number, AddedToken];
      next = found.end;
      if (this.#special.has(token.content)) {
        const overlap = plain.find((range) => range.start < next && range.end > (found?.start ?? 0));
        // A token that only touches plain text must not hide one behind it.
        if (overlap && (overlap.start > found.start || overlap.end < next)) next = found.start + 1;
        if (overlap) continue;
      }
      if (token.singleWord && !standsAlone(text, found)) continue;
      let { start, end } = found;
      // Unit by unit: a pattern for the end of a text would try every run of spaces in it from each of its spaces on.
      while (token.lstrip && start > done && SPACE.test(text.charAt(start - 1))) start--;
      while (token.rstrip && SPACE.test(text.charAt(end))) end++;
      if (done < start) sections.push({ start: done, end: start, id: undefined });
      sections.push({ start, end, id });
      done = end;
      next = Math.max(next, end);
    }
    if (done < text.length) sections.push({ start: done, end: text.length, id: undefined });
    return sections;
  }

  #buildMatchers(): { raw: Matcher; normalized: Matcher } {
    const build = (wanted: boolean, contentOf: (token: AddedToken) => string): Matcher => {
      const tokens = [...this.#byId].filter(([, token]) => (token.normalized ?? !token.special) === wanted);
      return { tokens, match: new LongestMatch(tokens.map(([, token]) => contentOf(token))) };
    };
    return {
      raw: build(false, (token) => token.content),
      normalized: build(true, (token) => this.#normalize(token.content)),
    };
  }
}

function standsAlone(text: string, { start, end }: Range): boolean {
  // Two units hold any character.
  return (
    !WORD_AT_END.test(text.slice(Math.max(0, start - 2), start)) &&
    !WORD_AT_START.test(text.slice(end, end + 2))
  );
}
