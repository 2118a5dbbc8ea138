// Replacement in a text that arrives in parts.

/** `text.replaceAll(from, to)` over the concatenation of what is pushed. Keeps back only what may be the start of `from`. */
export class StreamReplace {
  readonly #from: string;
  readonly #to: string;
  #held = '';

  constructor(from: string, to: string) {
    this.#from = from;
    this.#to = to;
  }

  /** What is kept back. */
  get held(): string {
    return this.#held;
  }

  push(text: string): string {
    const { given, held } = this.#run(text);
    this.#held = held;
    return given;
  }

  /** What `push` would return. */
  preview(text: string): string {
    return this.#run(text).given;
  }

  flush(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }

  #run(text: string): { given: string; held: string } {
    if (text === '') return { given: '', held: this.#held };
    const parts = (this.#held + text).split(this.#from);
    const last = parts.pop() ?? '';
    const keep = prefixAtEnd(last, this.#from);
    parts.push(last.slice(0, last.length - keep));
    return { given: parts.join(this.#to), held: last.slice(last.length - keep) };
  }
}

/** Length of the longest proper prefix of `word` that `text` ends with. */
export function prefixAtEnd(text: string, word: string): number {
  for (let length = Math.min(text.length, word.length - 1); length > 0; length--) {
    if (text.endsWith(word.slice(0, length))) return length;
  }
  return 0;
}

/** Filters in a row, each over what the one before lets through. */
export class FilterChain {
  readonly #filters: readonly StreamReplace[];

  constructor(replacements: readonly (readonly [string, string])[]) {
    this.#filters = replacements.map(([from, to]) => new StreamReplace(from, to));
  }

  /** What is kept back, in the order of the text. */
  get held(): string {
    return this.#filters.reduce((held, filter) => filter.held + held, '');
  }

  push(text: string): string {
    return this.#filters.reduce((rest, filter) => filter.push(rest), text);
  }

  /** What `push` would return. */
  preview(text: string): string {
    return this.#filters.reduce((rest, filter) => filter.preview(rest), text);
  }

  flush(): string {
    return this.#filters.reduce((rest, filter) => filter.push(rest) + filter.flush(), '');
  }
}
