// Cuts text into added tokens and what lies between them: PreTrainedTokenizer.tokenize() of transformers 4.57.6.

import type { TokenizerConfig } from './added-tokens.js';
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
    const pieces = this.#split(parts);
    for (let i = 0; i < pieces.length; i++) this.#applyFlags(pieces, i);
    return pieces
      .filter((piece) => piece.text !== '')
      .map((piece) => ({ text: piece.text, id: this.#idOf(piece) }));
  }

  #split(parts: readonly TextPart[]): Piece[] {
    const { legacy, addPrefixSpace } = this.#config;
    const pieces: Piece[] = [];
    let prefix = legacy || !addPrefixSpace ? '' : UNDERLINE;
    for (const part of parts) {
      if (part.text === '') continue;
      const text = prefix + (legacy ? part.text : part.text.replaceAll(UNDERLINE, ' '));
      prefix = '';
      const found = part.splitSpecialTokens ? [text] : this.#trie.split(text);
      found.forEach((each, index) => {
        const piece = { text: each, plain: part.splitSpecialTokens };
        const last = pieces.at(-1);
        const isText =
          last !== undefined && this.#idOf(last) === undefined && this.#idOf(piece) === undefined;
        // Only where parts meet: the trie may cut text that is no token, and what it cuts is encoded apart.
        if (isText && index === 0) Object.assign(last, { text: last.text + each, plain: true });
        else pieces.push(piece);
      });
    }
    return pieces;
  }

  // lstrip, rstrip and single_word of a token on its neighbours, which may be tokens too, and become text or other tokens.
  #applyFlags(pieces: Piece[], index: number): void {
    const piece = pieces[index] as Piece;
    const token = this.#config.byId.get(this.#idOf(piece) ?? -1);
    if (token === undefined) return;
    const left = pieces[index - 1];
    const right = pieces[index + 1];
    const before = left?.text ?? '';
    const after = right?.text ?? '';
    if (token.rstrip && right !== undefined) right.text = stripStart(after);
    if (token.lstrip && left !== undefined) left.text = stripEnd(before);
    if (!token.singleWord) return;
    if (left !== undefined && before !== '' && !before.endsWith(' ')) {
      left.text += piece.text;
      piece.text = '';
    } else if (right !== undefined && after !== '' && !after.startsWith(' ')) {
      right.text = piece.text + right.text;
      piece.text = '';
    }
  }

  #idOf({ text, plain }: Piece): number | undefined {
    return plain || text === '' ? undefined : this.#config.idOf.get(text);
  }
}

// A chunk to be; `plain` where its text is no added token, whatever it says.
interface Piece {
  text: string;
  plain: boolean;
}
