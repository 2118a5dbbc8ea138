// The slow T5Tokenizer of transformers 4.57.6: special tokens and decoding around sentencepiece, which lives in the addon.

import { readTokenizerConfig, type TokenizerConfig } from './added-tokens.js';
import {
  type DecodeOptions,
  type DecodeRules,
  DecodeStream,
  type DecodeStreamOptions,
} from './decode-stream.js';
import { ArgumentError, fromNative, NeoxError } from './errors.js';
import { resolveModelPath } from './hub-cache.js';
import { native } from './native.js';
import type { NativeTokenizer } from './native-types.js';
import { TextChunker, type TextPart } from './text-chunks.js';
import type { TokenIds } from './types.js';
import {
  assertBoolean,
  assertInteger,
  assertKnownOptions,
  assertString,
  assertTokenIds,
  unexpected,
} from './validate.js';

export interface EncodeOptions {
  /** Appends the eos token unless the text ends with it. @defaultValue `true` */
  addSpecialTokens?: boolean;
  /** Takes special tokens in the text as plain text. @defaultValue the checkpoint's, else `false` */
  splitSpecialTokens?: boolean;
}

const ENCODE_OPTIONS = ['addSpecialTokens', 'splitSpecialTokens'];
const DECODE_OPTIONS = ['skipSpecialTokens', 'cleanUpTokenizationSpaces', 'spacesBetweenSpecialTokens'];
const UNDERLINE = '\u2581';

/**
 * Text to ids and back, equal to `T5Tokenizer` of transformers 4.57.6 with sentencepiece 0.2.1. Immutable.
 *
 * @example
 * const tokenizer = await Tokenizer.load('model.gguf');
 * tokenizer.decode(tokenizer.encode('吾輩は猫である', { addSpecialTokens: false }));
 */
export class Tokenizer {
  readonly #native: NativeTokenizer;
  readonly #config: TokenizerConfig;
  readonly #pieces: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;
  readonly #chunker: TextChunker;
  readonly #rules: DecodeRules;
  readonly #unkPiece: number;
  // Whether the pieces' ids are the tokens' ids. Without byte fallback they are not: an unknown run keeps its text, which
  // Hugging Face looks up by name.
  readonly #encodes: boolean;

  /**
   * Loads the tokenizer of a GGUF file, of a directory with spiece.model and tokenizer_config.json, or of a pulled repository.
   * @throws FormatError when a file is not what it must be; `ERR_NEOX_NO_TOKENIZER` when there is none.
   */
  static async load(path: string): Promise<Tokenizer> {
    assertString('path', path);
    try {
      const { tokenizer, config } = await native().loadTokenizer(resolveModelPath(path));
      return new Tokenizer(tokenizer, config);
    } catch (error) {
      throw fromNative(error);
    }
  }

  /**
   * @internal
   * @param configJson - the text of tokenizer_config.json; empty for none
   */
  constructor(model: NativeTokenizer, configJson: string) {
    this.#pieces = model.pieces();
    this.#config = readTokenizerConfig(configJson === '' ? '{}' : configJson, this.#pieces);
    const dummyPrefix = this.#config.legacy || !model.flags.addDummyPrefix;
    this.#native = dummyPrefix ? model : model.withoutDummyPrefix();
    if (this.#native.flags.hasDenormalizer) {
      throw new NeoxError('ERR_NEOX_UNSUPPORTED', 'A tokenizer with a denormalizer is not supported.');
    }
    this.#ids = new Map(this.#pieces.map((piece, id) => [piece, id]));
    this.#unkPiece = this.#native.pieceToId('');
    this.#encodes = this.#config.legacy && this.#native.flags.byteFallback;
    this.#chunker = new TextChunker(this.#config);
    this.#rules = this.#decodeRules();
  }

  /** Number of pieces of the sentencepiece model. Added tokens may have ids beyond. */
  get vocabSize(): number {
    return this.#pieces.length;
  }

  get bosTokenId(): number | undefined {
    return this.#named('bos_token');
  }

  get eosTokenId(): number | undefined {
    return this.#named('eos_token');
  }

  get padTokenId(): number | undefined {
    return this.#named('pad_token');
  }

  get unkTokenId(): number | undefined {
    return this.#named('unk_token');
  }

  /** Ids of all special tokens; those that `skipSpecialTokens` leaves out. */
  get allSpecialIds(): number[] {
    return [...this.#rules.specialIds];
  }

  encode(text: string, options: EncodeOptions = {}): number[] {
    const { addSpecialTokens, splitSpecialTokens } = this.#encodeOptions('encode', text, options);
    return this.encodeParts([{ text, splitSpecialTokens }], { addSpecialTokens });
  }

  /**
   * Ids of the text that the parts join to. Added tokens are recognised where a part allows it; apart from that, the parts'
   * borders leave no trace, so that the ids are those of the joined text.
   * @internal
   */
  encodeParts(parts: readonly TextPart[], { addSpecialTokens = false } = {}): number[] {
    const ids = this.#encodes
      ? this.#encode(parts)
      : this.#tokens(parts).map((token) => this.tokenToId(token));
    const eos = this.eosTokenId;
    if (addSpecialTokens && eos !== undefined && ids.at(-1) !== eos) ids.push(eos);
    return ids;
  }

  /** The pieces of a text, without the eos token. Text that the vocabulary cannot spell stands for itself. */
  tokenize(text: string, options: Pick<EncodeOptions, 'splitSpecialTokens'> = {}): string[] {
    const { splitSpecialTokens } = this.#encodeOptions('tokenize', text, options);
    return this.#tokens([{ text, splitSpecialTokens }]);
  }

  /** @throws ArgumentError when an id is none of this tokenizer's. */
  decode(ids: TokenIds, options: DecodeOptions = {}): string {
    this.#checkDecodeOptions('decode', options, DECODE_OPTIONS);
    const stream = this.#stream(options);
    return stream.push(ids) + stream.flush();
  }

  /** Decodes ids as they come; see {@link DecodeStream}. */
  createDecodeStream(options: DecodeStreamOptions = {}): DecodeStream {
    this.#checkDecodeOptions('createDecodeStream', options, [...DECODE_OPTIONS, 'prompt', 'replace']);
    const { prompt, replace } = options;
    if (prompt !== undefined) assertTokenIds('prompt', prompt);
    if (replace !== undefined) checkReplace(replace);
    return this.#stream(options);
  }

  /** The id of a token, or that of the unknown token. */
  tokenToId(token: string): number {
    assertString('token', token);
    return this.#config.idOf.get(token) ?? this.#ids.get(token) ?? this.#unkPiece;
  }

  /** @throws ArgumentError when the id is none of this tokenizer's. */
  idToToken(id: number): string {
    assertInteger('id', id);
    return this.#token(id);
  }

  // `id` is an integer.
  #token(id: number): string {
    const token = this.#config.byId.get(id)?.content ?? this.#pieces[id];
    if (token !== undefined) return token;
    throw new ArgumentError(
      `Token id ${id} is not in the tokenizer, which has ${this.#pieces.length} pieces.`,
    );
  }

  #named(name: string): number | undefined {
    const token = this.#config.named.get(name);
    return token === undefined ? undefined : this.tokenToId(token);
  }

  #stream(options: DecodeStreamOptions): DecodeStream {
    const cleanUp = options.cleanUpTokenizationSpaces ?? this.#config.cleanUpTokenizationSpaces;
    return new DecodeStream(this.#rules, { ...options, cleanUpTokenizationSpaces: cleanUp });
  }

  #decodeRules(): DecodeRules {
    const types = this.#native.types();
    const typeOf = (piece: string): number => types[this.#ids.get(piece) ?? this.#unkPiece] ?? 0;
    return {
      table: { flags: this.#native.flags, typeOf, unkPiece: this.#pieces[this.#unkPiece] ?? '' },
      addPrefixSpace: this.#config.addPrefixSpace,
      special: this.#config.special,
      specialIds: new Set([...this.#config.special].map((token) => this.tokenToId(token))),
      separated: this.#config.separated,
      tokenOf: (id) => this.#token(id),
    };
  }

  #encode(parts: readonly TextPart[]): number[] {
    const ids: number[] = [];
    for (const chunk of this.#chunker.chunk(parts)) {
      if (chunk.id !== undefined) ids.push(chunk.id);
      else for (const id of this.#native.encode(chunk.text)) ids.push(id);
    }
    return ids;
  }

  #tokens(parts: readonly TextPart[]): string[] {
    const chunks = this.#chunker.chunk(parts);
    const tokens = chunks.flatMap((chunk) =>
      chunk.id === undefined ? this.#tokenizeChunk(chunk.text) : [chunk.text],
    );
    const spaced = !this.#config.legacy && tokens.length > 1 && tokens[0] === UNDERLINE;
    return spaced && this.#rules.special.has(tokens[1] ?? '') ? tokens.slice(1) : tokens;
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

  #encodeOptions(where: string, text: unknown, options: EncodeOptions): Required<EncodeOptions> {
    assertString('text', text);
    assertKnownOptions(`Tokenizer.${where}`, options, ENCODE_OPTIONS);
    const { addSpecialTokens = true, splitSpecialTokens = this.#config.splitSpecialTokens } = options;
    assertBoolean('addSpecialTokens', addSpecialTokens);
    assertBoolean('splitSpecialTokens', splitSpecialTokens);
    return { addSpecialTokens, splitSpecialTokens };
  }

  #checkDecodeOptions(where: string, options: object, known: readonly string[]): void {
    assertKnownOptions(`Tokenizer.${where}`, options, known);
    for (const name of DECODE_OPTIONS) {
      const value: unknown = options[name as keyof typeof options];
      if (value !== undefined) assertBoolean(name, value);
    }
  }
}

function checkReplace(replace: unknown): void {
  if (!Array.isArray(replace)) throw unexpected('a list of [from, to]', 'replace', replace);
  replace.forEach((entry: unknown, index) => {
    const name = `replace[${index}]`;
    if (!Array.isArray(entry) || entry.length !== 2) throw unexpected('[from, to]', name, entry);
    for (const text of entry) assertString(name, text);
    if (entry[0] === '') throw unexpected('text to replace', name, entry[0]);
  });
}
