// The public face of both kinds of tokenizer: arguments and options.

import { BpeTokenizer } from './bpe-tokenizer.js';
import { type DecodeOptions, DecodeStream, type DecodeStreamOptions } from './decode-stream.js';
import { ArgumentError, fromNative, NeoxError } from './errors.js';
import { resolveModelPath } from './hub-cache.js';
import { native } from './native.js';
import type { TokenizerFiles } from './native-types.js';
import { SpieceTokenizer } from './spiece-tokenizer.js';
import { readConfigFiles } from './tokenizer-config.js';
import type { TextPart, TokenizerKind } from './tokenizer-kind.js';
import type { TokenIds } from './types.js';
import {
  assertBoolean,
  assertInteger,
  assertKnownOptions,
  assertString,
  assertText,
  assertTokenIds,
  unexpected,
} from './validate.js';

/** Of `Tokenizer.encode`. */
export interface EncodeOptions {
  /**
   * Sentencepiece: appends the eos token unless the text ends with it. Byte-level BPE: adds what the checkpoint asks for, mostly
   * nothing.
   * @defaultValue `true`
   */
  addSpecialTokens?: boolean;
  /** Takes special tokens in the text as plain text. @defaultValue the checkpoint's, else `false` */
  splitSpecialTokens?: boolean;
}

const ENCODE_OPTIONS = ['addSpecialTokens', 'splitSpecialTokens'];
const DECODE_OPTIONS = ['skipSpecialTokens', 'cleanUpTokenizationSpaces', 'spacesBetweenSpecialTokens'];

/**
 * Text to ids and back, equal to transformers 4.57.6: `T5Tokenizer` with sentencepiece 0.2.1 for a spiece.model,
 * `GPTNeoXTokenizerFast` for a tokenizer.json with byte-level BPE. Immutable.
 *
 * @example
 * const tokenizer = await Tokenizer.load('model.gguf');
 * tokenizer.decode(tokenizer.encode('吾輩は猫である', { addSpecialTokens: false }));
 */
export class Tokenizer {
  readonly #kind: TokenizerKind;

  /**
   * Loads the tokenizer of a GGUF file, of a directory with spiece.model or tokenizer.json and tokenizer_config.json, or of a
   * pulled repository.
   * @throws FormatError when a file is not what it must be; `ERR_NEOX_NO_TOKENIZER` when there is none;
   * `ERR_NEOX_UNSUPPORTED` for a tokenizer.json of another kind
   */
  static async load(path: string): Promise<Tokenizer> {
    assertString('path', path);
    try {
      return new Tokenizer(await native().loadTokenizer(resolveModelPath(path)));
    } catch (error) {
      throw fromNative(error);
    }
  }

  /**
   * @internal
   * @throws FormatError; `ERR_NEOX_NO_TOKENIZER`, `ERR_NEOX_UNSUPPORTED`
   */
  constructor(files: TokenizerFiles) {
    const config = readConfigFiles(files);
    if (files.pieces) this.#kind = new SpieceTokenizer(files.pieces, config);
    else if (files.tokenizerJson) this.#kind = new BpeTokenizer(files.tokenizerJson, config);
    else throw new NeoxError('ERR_NEOX_NO_TOKENIZER', 'There is no tokenizer.');
  }

  /** Number of tokens of the vocabulary. Added tokens may have ids beyond. */
  get vocabSize(): number {
    return this.#kind.vocabSize;
  }

  /** Begins a text; undefined where there is none. */
  get bosTokenId(): number | undefined {
    return this.#kind.named('bos_token');
  }

  /** Ends a text; undefined where there is none. */
  get eosTokenId(): number | undefined {
    return this.#kind.named('eos_token');
  }

  /** Fills up batches; undefined where there is none. */
  get padTokenId(): number | undefined {
    return this.#kind.named('pad_token');
  }

  /** Stands for what has no token; undefined where there is none. */
  get unkTokenId(): number | undefined {
    return this.#kind.named('unk_token');
  }

  /** Ids of the special tokens that have a name in the checkpoint's tokenizer_config.json. */
  get allSpecialIds(): number[] {
    return [...this.#kind.specialIds];
  }

  /** @throws ArgumentError when the text has a lone surrogate */
  encode(text: string, options: EncodeOptions = {}): number[] {
    const { addSpecialTokens, splitSpecialTokens } = this.#encodeOptions('encode', text, options);
    return this.#kind.encode([{ text, splitSpecialTokens }], addSpecialTokens);
  }

  /**
   * Ids of the text that the parts join to. Special tokens are recognised where a part allows it; apart from that, the parts'
   * borders leave no trace, so that the ids are those of the joined text.
   * @internal
   * @throws ArgumentError when a part has a lone surrogate
   */
  encodeParts(parts: readonly TextPart[], { addSpecialTokens = false } = {}): number[] {
    for (const { text } of parts) assertText('text', text);
    return this.#kind.encode(parts, addSpecialTokens);
  }

  /**
   * The tokens of a text, without special tokens around it.
   * @throws ArgumentError when the text has a lone surrogate
   */
  tokenize(text: string, options: Pick<EncodeOptions, 'splitSpecialTokens'> = {}): string[] {
    const { splitSpecialTokens } = this.#encodeOptions('tokenize', text, options);
    return this.#kind.tokenize([{ text, splitSpecialTokens }]);
  }

  /**
   * Ids of padding rows beyond a byte-level vocabulary have no text.
   * @throws ArgumentError when an id is none of a sentencepiece tokenizer's
   */
  decode(ids: TokenIds, options: DecodeOptions = {}): string {
    this.#checkDecodeOptions('decode', options, DECODE_OPTIONS);
    const stream = new DecodeStream(this.#kind, options);
    return stream.push(ids) + stream.flush();
  }

  /** Decodes ids as they come; see {@link DecodeStream}. */
  createDecodeStream(options: DecodeStreamOptions = {}): DecodeStream {
    this.#checkDecodeOptions('createDecodeStream', options, [...DECODE_OPTIONS, 'prompt', 'replace']);
    const { prompt, replace } = options;
    if (prompt !== undefined) assertTokenIds('prompt', prompt);
    if (replace !== undefined) checkReplace(replace);
    return new DecodeStream(this.#kind, options);
  }

  /**
   * The id of a token, or that of the unknown token.
   * @throws ArgumentError for a token that is none, where the tokenizer has no unknown token
   */
  tokenToId(token: string): number {
    assertText('token', token);
    const id = this.#kind.idOf(token);
    if (id !== undefined) return id;
    throw new ArgumentError(`The tokenizer has no token '${token.slice(0, 60)}', and no unknown token.`);
  }

  /** @throws ArgumentError when the id is none of this tokenizer's. */
  idToToken(id: number): string {
    assertInteger('id', id);
    const token = this.#kind.tokenOf(id);
    if (token !== undefined) return token;
    throw new ArgumentError(`Token id ${id} is not in the tokenizer, which has ${this.vocabSize} tokens.`);
  }

  /**
   * What a token adds inside a text; empty for an id that is none, U+FFFD for bytes that are no character.
   * @internal
   */
  surfaceOf(id: number): string {
    return this.#kind.surfaceOf(id);
  }

  #encodeOptions(where: string, text: unknown, options: EncodeOptions): Required<EncodeOptions> {
    assertText('text', text);
    assertKnownOptions(`Tokenizer.${where}`, options, ENCODE_OPTIONS);
    const { addSpecialTokens = true, splitSpecialTokens = this.#kind.splitSpecialTokens } = options;
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
