// Words in a text: leftmost first, then longest, none overlapping another.

interface Node {
  children: Map<number, Node>;
  word: number;
}

/** Immutable set of words, known by their index. */
export class LongestMatch {
  readonly #root: Node = { children: new Map(), word: -1 };

  constructor(words: readonly string[]) {
    words.forEach((text, word) => {
      if (text === '') return;
      let node = this.#root;
      for (let i = 0; i < text.length; i++) {
        const unit = text.charCodeAt(i);
        let next = node.children.get(unit);
        if (next === undefined) {
          next = { children: new Map(), word: -1 };
          node.children.set(unit, next);
        }
        node = next;
      }
      node.word = word;
    });
  }

  /** The first match at or behind `from`. */
  find(text: string, from: number): { word: number; start: number; end: number } | undefined {
    for (let start = from; start < text.length; start++) {
      let node = this.#root.children.get(text.charCodeAt(start));
      let found: { word: number; start: number; end: number } | undefined;
      for (let end = start + 1; node !== undefined; end++) {
        if (node.word >= 0) found = { word: node.word, start, end };
        node = end < text.length ? node.children.get(text.charCodeAt(end)) : undefined;
      }
      if (found) return found;
    }
    return undefined;
  }
}
