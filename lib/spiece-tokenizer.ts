// The slow T5Tokenizer of transformers 4.57.6: special tokens and decoding around sentencepiece, which lives in the addon.

import { readTokenizerConfig, type TokenizerConfig } from './added-tokens.js';
import { ArgumentError, NeoxError } from './errors.js';
import type { NativeTokenizer } from './native-types.js';
import { Pieces } from './pieces.js';
import { type DecodeRules, SpieceDecoder } from './spiece-decoder.js';
import { TextChunker } from './text-chunks.js';
import type { JsonObject } from './tokenizer-config.js';
import type { IdDecoder, IdDecoderOptions, TextPart, TokenizerKind } from './tokenizer-kind.js';

const UNDERLINE = '\u2581';

/** Equal to `T5Tokenizer` with sentencepiece 0.2.1. Immutable. */
export class SpieceTokenizer implements TokenizerKind {
  readonly #native: NativeTokenizer;
  readonly #config: TokenizerConfig;
  readonly #pieces: Pieces;
  readonly #chunker: TextChunker;
  readonly #rules: DecodeRules;
  readonly #unkPiece: number;
  // Whether the pieces' ids are the tokens' ids. Without byte fallback they are not: an unknown run keeps its text, which
  // Hugging Face looks up by name.
  readonly #encodes: boolean;
  // Ids of pieces that are added tokens under another id.
  readonly #renumbered: ReadonlyMap<number, number>;

  /**
   * @param config - of `readConfigFiles`
   * @throws FormatError; `ERR_NEOX_UNSUPPORTED`
   */
  constructor(model: NativeTokenizer, config: JsonObject) {
    this.#pieces = new Pieces(model);
    this.#config = readTokenizerConfig(config, this.#pieces);
    const dummyPrefix = this.#config.legacy || !model.flags().addDummyPrefix;
    this.#native = dummyPrefix ? model : model.withoutDummyPrefix();
    if (this.#native.flags().hasDenormalizer) {
      throw new NeoxError('ERR_NEOX_UNSUPPORTED', 'A tokenizer with a denormalizer is not supported.');
    }
    this.#unkPiece = this.#native.pieceToId('');
    this.#encodes = this.#config.legacy && this.#native.flags().byteFallback;
    this.#renumbered = new Map(
      [...this.#config.idOf]
        .map(([content, id]): [number, number] => [this.#pieces.idOf(content) ?? id, id])
        .filter(([piece, id]) => piece !== id),
    );
    this.#chunker = new TextChunker(this.#config);
    this.#rules = this.#decodeRules();
  }

  get vocabSize(): number {
    return this.#pieces.length;
  }

  get specialIds(): ReadonlySet<number> {
    return this.#rules.specialIds;
  }

  get splitSpecialTokens(): boolean {
    return this.#config.splitSpecialTokens;
  }

  get cleanUpTokenizationSpaces(): boolean {
    return this.#config.cleanUpTokenizationSpaces;
  }

  /** Appends the eos token, with `addSpecialTokens`, unless the text ends with it. */
  encode(parts: readonly TextPart[], addSpecialTokens: boolean): number[] {
    const ids = this.#encodes ? this.#encode(parts) : this.tokenize(parts).map((token) => this.idOf(token));
    const eos = this.named('eos_token');
    if (addSpecialTokens && eos !== undefined && ids.at(-1) !== eos) ids.push(eos);
    return ids;
  }

  /** Text that the vocabulary cannot spell stands for itself. */
  tokenize(parts: readonly TextPart[]): string[] {
    const chunks = this.#chunker.chunk(parts);
    const tokens = chunks.flatMap((chunk) =>
      chunk.id === undefined ? this.#tokenizeChunk(chunk.text) : [chunk.text],
    );
    const spaced = !this.#config.legacy && tokens.length > 1 && tokens[0] === UNDERLINE;
    return spaced && this.#rules.special.has(tokens[1] ?? '') ? tokens.slice(1) : tokens;
  }

  idOf(token: string): number {
    return this.#config.idOf.get(token) ?? this.#native.pieceToId(token);
  }

  tokenOf(id: number): string | undefined {
    return this.#config.byId.get(id)?.content ?? this.#pieces.at(id);
  }

  surfaceOf(id: number): string {
    const token = this.tokenOf(id) ?? '';
    const byte = /^<0x([0-9A-F]{2})>$/.exec(token)?.[1];
    if (byte === undefined) return token.replaceAll(UNDERLINE, ' ');
    const point = Number.parseInt(byte, 16);
    return point < 0x80 ? String.fromCodePoint(point) : '\ufffd';
  }

  named(name: string): number | undefined {
    const token = this.#config.named.get(name);
    return token === undefined ? undefined : this.idOf(token);
  }

  decoder(options: IdDecoderOptions): IdDecoder {
    return new SpieceDecoder(this.#rules, options);
  }

  #decodeRules(): DecodeRules {
    const types = this.#native.types();
    const typeOf = (piece: string): number => types[this.#native.pieceToId(piece)] ?? 0;
    return {
      table: { flags: this.#native.flags(), typeOf, unkPiece: this.#pieces.at(this.#unkPiece) ?? '' },
      addPrefixSpace: this.#config.addPrefixSpace,
      special: this.#config.special,
      specialIds: new Set([...this.#config.special].map((token) => this.idOf(token))),
      separated: this.#config.separated,
      tokenOf: (id) => {
        const token = this.tokenOf(id);
        if (token !== undefined) return token;
        throw new ArgumentError(
          `Token id ${id} is not in the tokenizer, which has ${this.#pieces.length} pieces.`,
        );
      },
    };
  }

  #encode(parts: readonly TextPart[]): number[] {
    const ids: number[] = [];
    for (const chunk of this.#chunker.chunk(parts)) {
      if (chunk.id !== undefined) ids.push(chunk.id);
      else this.#append(ids, this.#native.encode(chunk.text));
    }
    return ids;
  }

  #append(ids: number[], pieces: Int32Array): void {
    const renumbered = this.#renumbered;
    for (let i = 0; i < pieces.length; i++) {
      const id = pieces[i] as number;
      ids.push(renumbered.size > 0 ? (renumbered.get(id) ?? id) : id);
    }
  }

  // Unless legacy, a leading space is kept from sentencepiece by encoding it behind the unknown token's name.
  #tokenizeChunk(text: string): string[] {
    const spaced = text.startsWith(UNDERLINE) || text.startsWith(' ');
    if (this.#config.legacy || !spaced) return this.#native.tokenize(text);
    const anchor = this.#config.named.get('unk_token') ?? '';
    const skip = this.#native.tokenize(anchor).length;
    const tokens = this.#native.tokenize(anchor + text);
    return tokens.length >= skip ? tokens.slice(skip) : tokens;
  }
}
