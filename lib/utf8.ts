// UTF-8 as it arrives: where characters end in bytes of which more may come.

/**
 * Bytes of the character at `at`: 0 when it may still become one, -1 when its first byte stands for no character.
 */
export function sequenceLength(bytes: ArrayLike<number>, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return -1;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  for (let i = 1; i < length; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return 0;
    // The second byte tells overlong forms, surrogates and what lies beyond U+10FFFF.
    const low = i > 1 ? 0x80 : lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const high = i > 1 ? 0xbf : lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (byte < low || byte > high) return -1;
  }
  return length;
}

/** How many bytes at the end are the beginning of a character. */
export function incompleteAtEnd(bytes: Uint8Array): number {
  for (let count = 1; count <= 3 && count <= bytes.length; count++) {
    const at = bytes.length - count;
    if (sequenceLength(bytes, at) === 0) return count;
  }
  return 0;
}

/** Decodes a stream of bytes as one text. Each longest wrong sequence becomes one U+FFFD, as in Rust and on the Web. */
export class Utf8Stream {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #held: Uint8Array = new Uint8Array();

  /** The text that is certain. */
  push(bytes: Uint8Array): string {
    let all = bytes;
    if (this.#held.length > 0) {
      all = new Uint8Array(this.#held.length + bytes.length);
      all.set(this.#held);
      all.set(bytes, this.#held.length);
    }
    const end = all.length - incompleteAtEnd(all);
    this.#held = all.subarray(end);
    return this.#decoder.decode(all.subarray(0, end));
  }

  /** What is kept back. */
  flush(): string {
    const text = this.#decoder.decode(this.#held);
    this.#held = new Uint8Array();
    return text;
  }
}
