// decode() of the slow T5Tokenizer, transformers 4.57.6, as the Python says it: over all ids at once. The oracle of the stream.

import { FakeTokenizer, FIRST_BYTE, FIRST_WORD } from './fake-tokenizer';

export interface ReferenceOptions {
  skipSpecialTokens?: boolean;
  cleanUpTokenizationSpaces?: boolean;
  spacesBetweenSpecialTokens?: boolean;
}

const FAKE = new FakeTokenizer();
const PIECES = Array.from({ length: FAKE.size() }, (_, id) => FAKE.piece(id));
// What Python's str.isspace() says.
const SPACE = new Set([
  ...[
    0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x85, 0xa0, 0x1680, 0x2000, 0x2001, 0x2002,
    0x2003,
  ],
  ...[0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000],
]);

/** `separated` are added tokens behind the vocabulary that are not special. */
export function referenceDecode(
  ids: readonly number[],
  options: ReferenceOptions = {},
  separated: readonly string[] = [],
): string {
  const tokens = ids
    .filter((id) => !options.skipSpecialTokens || id >= FIRST_BYTE)
    .map((id) => PIECES[id] ?? separated[id - PIECES.length] ?? '');
  const subTexts: string[] = [];
  let current: string[] = [];
  for (const token of tokens) {
    if (!separated.includes(token)) {
      current.push(token);
      continue;
    }
    const text = current.length > 0 ? toText(current) : '';
    if (text !== '') subTexts.push(text);
    current = [];
    subTexts.push(token);
  }
  if (current.length > 0) subTexts.push(toText(current));
  const text = subTexts.join((options.spacesBetweenSpecialTokens ?? true) ? ' ' : '');
  if (!options.cleanUpTokenizationSpaces) return text;
  return text
    .replaceAll(' .', '.')
    .replaceAll(' ?', '?')
    .replaceAll(' !', '!')
    .replaceAll(' ,', ',')
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m")
    .replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve")
    .replaceAll(" 're", "'re");
}

function toText(tokens: readonly string[]): string {
  const special = new Set(PIECES.slice(0, FIRST_BYTE));
  let out = '';
  let previousIsSpecial = false;
  let current: string[] = [];
  for (const [index, token] of tokens.entries()) {
    const name = index === 0 ? token.replace(/^▁/, '') : token;
    if (special.has(name)) {
      if (!previousIsSpecial) out += ' ';
      out += decodePieces(current) + name;
      previousIsSpecial = true;
      current = [];
    } else {
      current.push(name);
      previousIsSpecial = false;
    }
  }
  return strip(out + decodePieces(current));
}

function decodePieces(pieces: readonly string[]): string {
  let text = '';
  let bytes: number[] = [];
  for (const piece of [...pieces, undefined]) {
    const id = piece === undefined ? -1 : PIECES.indexOf(piece);
    if (id >= FIRST_BYTE && id < FIRST_WORD) {
      bytes.push(id - FIRST_BYTE);
      continue;
    }
    text += decodeBytes(bytes);
    bytes = [];
    if (piece !== undefined) text += id < 0 ? piece : piece.replaceAll('▁', ' ');
  }
  return text;
}

// The shortest valid character at each place, else one U+FFFD for the byte.
function decodeBytes(bytes: readonly number[]): string {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    let character: string | undefined;
    let length = 0;
    while (character === undefined && length < 4 && at + length < bytes.length) {
      length++;
      try {
        character = strict.decode(Uint8Array.from(bytes.slice(at, at + length)));
      } catch {
        // not a character yet
      }
    }
    text += character ?? '\ufffd';
    at += character === undefined ? 1 : length;
  }
  return text;
}

function strip(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && SPACE.has(text.charCodeAt(from))) from++;
  while (to > from && SPACE.has(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}
