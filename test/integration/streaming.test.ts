// The contract of streamed text, over tokenizers of every kind, random ids and random chunks: what the engine makes reaches the
// consumer complete, once, in order, as early as it is certain, and never with a stop string in it. What decode() makes of
// the ids is compared with transformers elsewhere (spiece-golden, bpe-tokenizer.golden, tokenizer.golden).

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Chunk, type DecodeOptions, demoModelPath, type TokenIds, Tokenizer } from '../../lib/index.js';
import { Output } from '../../lib/output.js';
import { TextStream } from '../../lib/text-stream.js';
import { stripEnd, stripStart } from '../../lib/unicode.js';
import { randomIntegers } from '../lib/fake-tokenizer.js';
import { spieceShapes, writeSpiece } from './spiece-shapes.js';
import { bpeShapes } from './zero-checkpoint.js';

const folder = mkdtempSync(join(tmpdir(), 'neox-streaming-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ROUNDS = 40;
const TEXTS = [
  ...[
    'ひらがな',
    'カタカナ',
    '漢字',
    '😀',
    '👨‍👩‍👧‍👦',
    '🇯🇵',
    'か\u3099',
    'é',
    'e\u0301',
    '𠮷野家',
    'ﷺ',
    ' a',
    '  b  ',
    'c\n\nd',
  ],
  ...[
    '\u3000',
    '。',
    '、',
    ' .',
    " n't",
    " ' ",
    '<NL>',
    '<',
    'N',
    'L>',
    '\t',
    '▁',
    'Hello, world!',
    '\u00a0x\u2003',
  ],
];

type Random = (n: number) => number;

interface Kind {
  tokenizer: Tokenizer;
  isSpiece: boolean;
  /** All that have a token, the special ones and the others. */
  ids: number[];
  special: number[];
}

async function load(name: string): Promise<Kind> {
  const isSpiece = spieceShapes.includes(name);
  const path =
    name === 'demo'
      ? demoModelPath()
      : isSpiece
        ? writeSpiece(name, join(folder, name))
        : join(bpeShapes, name);
  const tokenizer = await Tokenizer.load(path);
  const ids = Array.from({ length: tokenizer.vocabSize + 200 }, (_, id) => id).filter((id) => {
    try {
      return tokenizer.idToToken(id) !== undefined;
    } catch {
      return false;
    }
  });
  return { tokenizer, isSpiece: isSpiece || name === 'demo', ids, special: tokenizer.allSpecialIds };
}

const pick = <T>(list: readonly T[], random: Random): T => list[random(list.length)] as T;

/** Ids that meet the rules: words, whole and cut characters, spaces of all kinds, special and added tokens. */
function randomIds({ tokenizer, ids, special }: Kind, random: Random, count: number): number[] {
  const encode = (): number[] => tokenizer.encode(pick(TEXTS, random), { addSpecialTokens: false });
  const parts: (() => number[])[] = [
    () => [pick(ids, random)],
    () => [pick(ids, random), pick(ids, random)],
    () => (special.length > 0 && random(3) === 0 ? [pick(special, random)] : encode()),
    encode,
    encode,
    () => encode().slice(random(2), 1 + random(4)),
  ];
  return Array.from({ length: count }, () => pick(parts, random)()).flat();
}

interface Streamed {
  chunks: Chunk[];
  text: string;
  ids: number[];
  isStopped: boolean;
}

/** Feeds the ids as an engine would, some at a time; `after` sees what was delivered of the ids fed so far. */
function streamed(
  { tokenizer }: Kind,
  ids: readonly number[],
  options: DecodeOptions & { prompt?: TokenIds; replace?: [string, string][]; stops?: string[] },
  random: Random,
  after: (text: string, fed: number) => void = () => undefined,
): Streamed {
  const { stops = [], ...decode } = options;
  const output = new Output(0, new TextStream(tokenizer.createDecodeStream(decode), stops));
  const most = 1 + random(4);
  const chunks: Chunk[] = [];
  let isStopped = false;
  for (let at = 0, isLast = false; !isLast && !isStopped; ) {
    const next = Math.min(ids.length, at + 1 + random(most));
    // The end may come with the last ids or by itself.
    isLast = at === ids.length || (next === ids.length && random(2) === 0);
    const tokens = ids.slice(at, next).map((id, index) => ({ id, logprob: -(at + index) }));
    const taken = output.take(tokens, isLast);
    if (taken.chunk) chunks.push(taken.chunk);
    isStopped = taken.isStopped;
    at = next;
    if (!isLast && !isStopped) after(output.result().text, at);
  }
  const result = output.result();
  const tokens = chunks.flatMap((chunk) => chunk.tokens);
  // What the chunks say is what the result says, with every id's own log-probability; and every chunk is text by itself, without
  // half of a surrogate pair.
  if (
    chunks.map((chunk) => chunk.text).join('') !== result.text ||
    tokens.length !== result.tokens.length ||
    tokens.some(({ id, logprob }, index) => id !== ids[index] || logprob !== -index) ||
    chunks.some((chunk) => /\p{Surrogate}/u.test(chunk.text))
  ) {
    throw new Error(`Of ${JSON.stringify(ids)}: ${JSON.stringify(chunks)}`);
  }
  return { chunks, text: result.text, ids: result.tokenIds, isStopped };
}

const options = (random: Random): DecodeOptions => ({ skipSpecialTokens: random(2) === 0 });

describe.each(['demo', ...spieceShapes, ...readdirSync(bpeShapes)])('%s', (name) => {
  let kind: Kind;
  beforeAll(async () => {
    kind = await load(name);
  });

  test('chunks join to decode(new ids), each id comes once', () => {
    const random = randomIntegers(1);
    for (let round = 0; round < ROUNDS; round++) {
      const ids = randomIds(kind, random, random(10));
      const given = { ...options(random), ...(random(3) === 0 ? { cleanUpTokenizationSpaces: true } : {}) };
      const expected = kind.tokenizer.decode(ids, given);
      const got = streamed(kind, ids, given, random);
      expect([ids, got.text, got.ids]).toEqual([ids, expected, ids]);
    }
  });

  test('after a prompt, they join to what decode(prompt + new ids) has after decode(prompt)', () => {
    const random = randomIntegers(2);
    for (let round = 0; round < ROUNDS; round++) {
      const prompt = randomIds(kind, random, random(6));
      const ids = randomIds(kind, random, random(8));
      const given = options(random);
      const before = Array.from(kind.tokenizer.decode(prompt, given)).length;
      const whole = kind.tokenizer.decode([...prompt, ...ids], given);
      const expected = Array.from(whole).slice(before).join('');
      expect([prompt, ids, streamed(kind, ids, { ...given, prompt }, random).text]).toEqual([
        prompt,
        ids,
        expected,
      ]);
    }
  });

  test('nothing is kept back but incomplete characters, whitespace at the end, and text behind a special token', () => {
    const random = randomIntegers(3);
    const late: object[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const ids = randomIds(kind, random, 1 + random(10));
      const given = { ...options(random), cleanUpTokenizationSpaces: false };
      streamed(kind, ids, given, random, (text, fed) => {
        const so = ids.slice(0, fed);
        const last = so.findLastIndex((id) => kind.special.includes(id));
        const isHeld = kind.isSpiece && !given.skipSpecialTokens && last >= 0;
        // A second special token would put a space before the text behind the first.
        const certain = isHeld ? so.slice(0, last + 1) : so;
        // An incomplete character at the end has decoded to at most three U+FFFD.
        const rest = isHeld ? /^/ : /^\ufffd{0,3}$/;
        const whole = kind.tokenizer.decode(certain, given);
        const begin = isHeld ? whole : text;
        const all = isHeld ? text : whole;
        if (!all.startsWith(begin) || !rest.test(stripStart(all.slice(begin.length))))
          late.push({ ids, fed, text, whole });
      });
    }
    expect(late).toEqual([]);
  });

  test('replacements see the whole text, however it is cut', () => {
    const random = randomIntegers(4);
    const replace: [string, string][] = [['<NL>', '\n']];
    for (let round = 0; round < ROUNDS; round++) {
      const ids = randomIds(kind, random, random(12));
      const given = options(random);
      const expected = kind.tokenizer.decode(ids, given).replaceAll('<NL>', '\n');
      expect(streamed(kind, ids, { ...given, replace }, random).text).toBe(expected);
    }
  });

  test('the text ends before the first stop string, and the ids at the token in which it begins', () => {
    const random = randomIntegers(5);
    let stopped = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const ids = randomIds(kind, random, 2 + random(10));
      const given = { ...options(random), cleanUpTokenizationSpaces: false };
      const whole = kind.tokenizer.decode(ids, given);
      const stops = randomStops(whole, random);
      if (stops.length === 0) continue;
      const got = streamed(kind, ids, { ...given, stops }, random);
      const end = firstStop(whole, stops);
      expect([ids, stops, got.text, got.isStopped]).toEqual([
        ids,
        stops,
        whole.slice(0, end),
        end !== undefined,
      ]);
      if (end === undefined) {
        expect(got.ids).toEqual(ids);
        continue;
      }
      stopped++;
      // Without special tokens in the text, decode() tells where each token begins.
      if (!given.skipSpecialTokens && ids.some((id) => kind.special.includes(id))) continue;
      const kept = kind.tokenizer.decode(got.ids, given);
      const shorter = kind.tokenizer.decode(got.ids.slice(0, -1), given).replace(/\ufffd+$/, '');
      const isWhole = kept.length >= stripEnd(got.text).length;
      expect([ids, got, isWhole, shorter.length <= got.text.length]).toEqual([ids, got, true, true]);
    }
    expect(stopped).toBeGreaterThan(ROUNDS / 3);
  });
});

/** Pieces of the text, and others; some that overlap or begin inside each other. None has whitespace at an end. */
function randomStops(text: string, random: Random): string[] {
  const chars = Array.from(text);
  const stops = Array.from({ length: 1 + random(3) }, () => {
    if (chars.length === 0 || random(4) === 0) return pick(['zz', '😁', 'が!', '<NM>', 'カタカタ'], random);
    const from = random(3) === 0 ? 0 : random(chars.length);
    return chars
      .slice(from, from + 1 + random(5))
      .join('')
      .trim();
  });
  return stops.filter((stop) => stop !== '' && !/^\s|\s$/.test(stop));
}

/** By definition: where the stop string begins that is complete first, the longest of those. */
function firstStop(text: string, stops: readonly string[]): number | undefined {
  for (let end = 1; end <= text.length; end++) {
    const found = stops.filter((stop) => text.slice(0, end).endsWith(stop)).map((stop) => stop.length);
    if (found.length > 0) return end - Math.max(...found);
  }
  return undefined;
}
