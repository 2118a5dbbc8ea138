// What the two kinds of tokenizer have in common, for lib/tokenizer.ts. Arguments are checked before they come here.

/** A part of a text. */
export interface TextPart {
  text: string;
  /** Whether special tokens are plain text here. */
  splitSpecialTokens: boolean;
}

/** Turns ids into text as they come; the pieces of text join to the text of all ids. */
export interface IdDecoder {
  /**
   * The text that is certain after this id.
   * @throws ArgumentError when the id is none of the tokenizer's
   */
  push(id: number): string;
  /** The rest. Nothing is pushed after it. */
  flush(): string;
  /** Whitespace that comes next if any text follows, and is dropped otherwise. */
  readonly pendingWhitespace: string;
}

export interface IdDecoderOptions {
  skipSpecialTokens: boolean;
  spacesBetweenSpecialTokens: boolean;
}

/** A source of decoders, and the checkpoint's word on `cleanUpTokenizationSpaces`. */
export interface Decoding {
  readonly cleanUpTokenizationSpaces: boolean;
  decoder(options: IdDecoderOptions): IdDecoder;
}

/** One kind of tokenizer. Immutable. */
export interface TokenizerKind extends Decoding {
  readonly vocabSize: number;
  /** Ids of all special tokens. */
  readonly specialIds: ReadonlySet<number>;
  /** The default of `encode`. */
  readonly splitSpecialTokens: boolean;
  /** Ids of the text that the parts join to. */
  encode(parts: readonly TextPart[], addSpecialTokens: boolean): number[];
  tokenize(parts: readonly TextPart[]): string[];
  /** The id of a token, or that of the unknown token; undefined where there is none. */
  idOf(token: string): number | undefined;
  /** Undefined for an id that is none of the tokenizer's. */
  tokenOf(id: number): string | undefined;
  /** What a token adds inside a text; empty for an id that is none, U+FFFD for bytes that are no character. */
  surfaceOf(id: number): string;
  /** The id of `bos_token`, `eos_token`, ... */
  named(name: string): number | undefined;
}
