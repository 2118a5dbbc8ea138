// A NativeTokenizer in TypeScript: longest match from the left over a small vocabulary in rinna's layout, with byte fallback.
// It stands in for sentencepiece where the rules around it are tested.

import { type NativeTokenizer, type NativeTokenizerFlags, PIECE_TYPE } from '../../lib/native-types';

const hex = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;

/** `[PAD]` 0, `[UNK]` 1, `<s>` 2, `</s>` 3, `[CLS]` 4, `[SEP]` 5, `[MASK]` 6, bytes from 7, then `words`. */
export const WORDS = [
  ...[
    '▁',
    '▁▁',
    '▁a',
    'a',
    'b',
    'c',
    'ab',
    '.',
    ',',
    "'",
    's',
    'n',
    't',
    '▁.',
    '\n',
    '<NL>',
    '<',
    '>',
    'N',
    'L',
  ],
  ...['/', '猫', '吾', 'は', 'である', 'ユーザー', ':▁', 'システム', '。', '😀'],
];
export const FIRST_BYTE = 7;
export const FIRST_WORD = FIRST_BYTE + 256;

export const RINNA_CONFIG = {
  eos_token: '</s>',
  unk_token: '[UNK]',
  pad_token: '[PAD]',
  bos_token: '<s>',
  cls_token: '[CLS]',
  sep_token: '[SEP]',
  mask_token: '[MASK]',
  extra_ids: 0,
  additional_special_tokens: [] as unknown[],
};

export class FakeTokenizer implements NativeTokenizer {
  calls: string[] = [];
  readonly #flags: NativeTokenizerFlags;
  readonly #pieces = [
    ...['[PAD]', '[UNK]', '<s>', '</s>', '[CLS]', '[SEP]', '[MASK]'],
    ...Array.from({ length: 256 }, (_, byte) => hex(byte)),
    ...WORDS,
  ];

  constructor(flags: Partial<NativeTokenizerFlags> = {}) {
    this.#flags = {
      addDummyPrefix: false,
      removeExtraWhitespaces: false,
      byteFallback: true,
      hasDenormalizer: false,
      unkSurface: ' ⁇ ',
      ...flags,
    };
  }

  flags(): NativeTokenizerFlags {
    return this.#flags;
  }

  size(): number {
    return this.#pieces.length;
  }

  piece(id: number): string {
    const piece = this.#pieces[id];
    if (piece === undefined) throw new RangeError(`no piece ${id}`);
    return piece;
  }

  types(): Uint8Array {
    const { control, unknown, byte, normal } = PIECE_TYPE;
    const type = (id: number) =>
      id === 1 ? unknown : id < FIRST_BYTE ? control : id < FIRST_WORD ? byte : normal;
    return Uint8Array.from(this.#pieces, (_, id) => type(id));
  }

  pieceToId(piece: string): number {
    const id = this.#pieces.indexOf(piece);
    return id < 0 ? 1 : id;
  }

  encode(text: string): Int32Array {
    this.calls.push(text);
    return Int32Array.from(this.#split(text), (piece) => this.pieceToId(piece));
  }

  tokenize(text: string): string[] {
    this.calls.push(text);
    return this.#split(text);
  }

  withoutDummyPrefix(): NativeTokenizer {
    return new FakeTokenizer({ ...this.#flags, addDummyPrefix: false });
  }

  #split(text: string): string[] {
    const pieces: string[] = [];
    let rest = (this.#flags.addDummyPrefix && text !== '' ? ' ' : '') + text;
    rest = rest.replaceAll(' ', '▁');
    while (rest !== '') {
      const word = WORDS.filter((piece) => rest.startsWith(piece)).sort((a, b) => b.length - a.length)[0];
      const taken = word ?? String.fromCodePoint(rest.codePointAt(0) ?? 0);
      rest = rest.slice(taken.length);
      if (word !== undefined) pieces.push(word);
      else if (this.#flags.byteFallback) pieces.push(...Array.from(Buffer.from(taken), hex));
      else pieces.push(taken);
    }
    return pieces;
  }
}

/** mulberry32: a seeded generator of integers below `n`. */
export function randomIntegers(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}
