// Cuts text into added tokens and what lies between them: PreTrainedTokenizer.tokenize() of transformers 4.57.6.

import type { TokenizerConfig } from './added-tokens.js';
import type { AddedToken } from './tokenizer-config.js';
import type { TextPart } from './tokenizer-kind.js';
import { Trie } from './trie.js';
import { stripEnd, stripStart } from './unicode.js';

/** An added token (then with its id), or a stretch of text that sentencepiece sees as a whole. */
export interface Chunk {
  text: string;
  id: number | undefined;
}

const UNDERLINE = '\u2581';

/** Immutable. */
export class TextChunker {
  readonly #config: TokenizerConfig;
  readonly #trie: Trie;

  constructor(config: TokenizerConfig) {
    this.#config = config;
    // Not `idOf`: a token that another one displaced from its id is no longer looked for.
    this.#trie = new Trie([...config.byId.values()].map((token) => token.content));
  }

  /** The chunks of the text that the parts join to; none is empty. */
  chunk(parts: readonly TextPart[]): Chunk[] {
    const { legacy, addPrefixSpace, idOf } = this.#config;
    const chunks: Chunk[] = [];
    const append = (text: string, id: number | undefined): void => {
      const last = chunks.at(-1);
      if (id === undefined && last !== undefined && last.id === undefined) last.text += text;
      else if (text !== '') chunks.push({ text, id });
    };
    let prefix = legacy || !addPrefixSpace ? '' : UNDERLINE;
    for (const part of parts) {
      if (part.text === '') continue;
      const text = prefix + (legacy ? part.text : part.text.replaceAll(UNDERLINE, ' '));
      prefix = '';
      if (part.splitSpecialTokens) append(text, undefined);
      else for (const piece of this.#trie.split(text)) append(piece, idOf.get(piece));
    }
    return this.#applyFlags(chunks);
  }

  // lstrip, rstrip and single_word of the tokens found, on their neighbours.
  #applyFlags(chunks: Chunk[]): Chunk[] {
    for (const [index, chunk] of chunks.entries()) {
      const token = chunk.id === undefined ? undefined : this.#config.byId.get(chunk.id);
      if (token === undefined || !hasFlags(token)) continue;
      const left = chunks[index - 1];
      const right = chunks[index + 1];
      const before = left?.text ?? '';
      const after = right?.text ?? '';
      if (token.rstrip && right !== undefined) right.text = stripStart(after);
      if (token.lstrip && left !== undefined) left.text = stripEnd(before);
      if (!token.singleWord) continue;
      if (left !== undefined && before !== '' && !before.endsWith(' ')) {
        this.#join(left, chunk, left.text + chunk.text);
      } else if (right !== undefined && after !== '' && !after.startsWith(' ')) {
        this.#join(right, chunk, chunk.text + right.text);
      }
    }
    return chunks.filter((chunk) => chunk.text !== '');
  }

  // The token is part of a word: it joins its neighbour, which may still be an added token if it was stripped to nothing.
  #join(neighbour: Chunk, token: Chunk, text: string): void {
    neighbour.text = text;
    neighbour.id = this.#config.idOf.get(text);
    token.text = '';
  }
}

function hasFlags(token: AddedToken): boolean {
  return token.lstrip || token.rstrip || token.singleWord;
}
