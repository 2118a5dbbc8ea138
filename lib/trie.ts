// Splits text at added tokens as the Trie of transformers 4.57.6 (tokenization_utils.py) does: a port of its automaton, not of
// its description, because the two differ where tokens overlap. It steps by characters, as Python does.

type Node = { children: Map<number, Node>; final: boolean };

/** Immutable set of words. */
export class Trie {
  readonly #root: Node = { children: new Map(), final: false };
  readonly #any: RegExp | undefined;

  constructor(words: Iterable<string>) {
    const distinct = new Set(words);
    distinct.delete('');
    for (const word of distinct) this.#add(word);
    if (distinct.size > 0) this.#any = new RegExp([...distinct].map(escapeRegExp).join('|'));
  }

  /** The text cut at the words found: leftmost first, then longest. The pieces join to the text; none is empty. */
  split(text: string): string[] {
    if (this.#any === undefined || !this.#any.test(text)) return text === '' ? [] : [text];
    return cut(text, this.#offsets(text));
  }

  #add(word: string): void {
    let node = this.#root;
    for (let at = 0; at < word.length; at += widthAt(word, at)) {
      const char = charAt(word, at);
      let next = node.children.get(char);
      if (next === undefined) {
        next = { children: new Map(), final: false };
        node.children.set(char, next);
      }
      node = next;
    }
    node.final = true;
  }

  #offsets(text: string): number[] {
    // Partial matches, by where they start; a Map keeps them in that order.
    let states = new Map<number, Node>();
    const offsets = [0];
    let skip = 0;
    for (let current = 0; current < text.length; current += widthAt(text, current)) {
      if (current < skip) continue;
      const char = charAt(text, current);
      // A failed match leaves the table only after the scan: until then lookAhead() still sees it, as in the original.
      const failed: number[] = [];
      let found = false;
      for (const [start, node] of states) {
        if (node.final) {
          const match = lookAhead(text, states, start, current);
          if (match.skip !== undefined) skip = match.skip;
          offsets.push(match.start, match.end);
          found = true;
          break;
        }
        const next = node.children.get(char);
        if (next === undefined) failed.push(start);
        else states.set(start, next);
      }
      if (found) states = new Map();
      for (const start of failed) states.delete(start);
      const first = this.#root.children.get(char);
      if (current >= skip && first !== undefined) states.set(current, first);
    }
    for (const [start, node] of states) {
      if (!node.final) continue;
      offsets.push(start, text.length);
      break;
    }
    return offsets;
  }
}

// A match that starts at `found` is complete before `current`. It, or a partial match that began earlier, may still grow.
function lookAhead(
  text: string,
  states: ReadonlyMap<number, Node>,
  found: number,
  current: number,
): { start: number; end: number; skip: number | undefined } {
  const match = { start: found, end: current, skip: undefined as number | undefined };
  for (const [start, state] of states) {
    if (start > match.start) break;
    // An earlier match has already taken the current character, this one has not.
    let at = start < match.start ? current + widthAt(text, current) : current;
    match.end = at;
    let node = state;
    if (node.final) Object.assign(match, { start, end: at, skip: at });
    while (at < text.length) {
      const next = node.children.get(charAt(text, at));
      if (next === undefined) break;
      node = next;
      at += widthAt(text, at);
      if (node.final) Object.assign(match, { start, end: at, skip: at });
    }
  }
  return match;
}

function cut(text: string, offsets: readonly number[]): string[] {
  const pieces: string[] = [];
  let start = 0;
  for (const end of [...offsets, text.length]) {
    if (start >= end) continue;
    pieces.push(text.slice(start, end));
    start = end;
  }
  return pieces;
}

function charAt(text: string, at: number): number {
  return text.codePointAt(at) as number;
}

function widthAt(text: string, at: number): number {
  return charAt(text, at) > 0xffff ? 2 : 1;
}

function escapeRegExp(word: string): string {
  return word.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
