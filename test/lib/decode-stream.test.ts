import type { DecodeStreamOptions } from '../../lib/decode-stream';
import { StopMatcher, TextStream } from '../../lib/text-stream';
import { Tokenizer } from '../../lib/tokenizer';
import { FakeTokenizer, FIRST_BYTE, RINNA_CONFIG, randomIntegers } from './fake-tokenizer';
import { referenceDecode } from './reference-decode';

const tokenizer = new Tokenizer({ pieces: new FakeTokenizer(), config: JSON.stringify(RINNA_CONFIG) });
const bytes = (...values: number[]): number[] => values.map((value) => FIRST_BYTE + value);
const id = (token: string): number => tokenizer.tokenToId(token);
const ids = (...tokens: string[]): number[] => tokens.map(id);

// Ids that meet the rules: whole, broken and cut characters, spaces of all kinds, specials, words.
function randomIds(random: (n: number) => number, size: number): number[] {
  const parts: (() => number[])[] = [
    () => [random(7)],
    () => ids('▁'),
    () => ids('▁▁', '\n'),
    () => [FIRST_BYTE + 256 + random(tokenizer.vocabSize - FIRST_BYTE - 256)],
    () => [FIRST_BYTE + 256 + random(tokenizer.vocabSize - FIRST_BYTE - 256)],
    () => bytes(...Buffer.from('あ😀é'.slice(random(2)))),
    () =>
      bytes(
        ...([[0xe3], [0x81], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf4, 0x90, 0x80, 0x80]][
          random(5)
        ] as number[]),
      ),
    () =>
      bytes(
        ...([[0x85], [0xc2, 0x85], [0x1c], [0xef, 0xbb, 0xbf], [0xe3, 0x80, 0x80], [0xff]][
          random(6)
        ] as number[]),
      ),
  ];
  return Array.from({ length: size }, () => (parts[random(parts.length)] as () => number[])()).flat();
}

function streamed(
  all: readonly number[],
  options: DecodeStreamOptions,
  random: (n: number) => number,
): string[] {
  const stream = tokenizer.createDecodeStream(options);
  const texts: string[] = [];
  for (let at = 0; at < all.length; ) {
    const next = at + random(4);
    texts.push(stream.push(all.slice(at, next)));
    at = next;
  }
  return [...texts, stream.flush()];
}

test('any ids, in any chunks, give the text of all at once', () => {
  const random = randomIntegers(1);
  for (let round = 0; round < 1200; round++) {
    const all = randomIds(random, random(12));
    const options = { skipSpecialTokens: random(2) === 0, cleanUpTokenizationSpaces: random(3) === 0 };
    const expected = referenceDecode(all, options);
    expect(tokenizer.decode(all, options)).toBe(expected);
    const texts = streamed(all, options, random);
    expect(texts.join('')).toBe(expected);
    for (const text of texts) expect(Buffer.from(text).toString()).toBe(text); // no half of a pair
  }
});

test('added tokens that are not special are set apart', () => {
  const config = {
    ...RINNA_CONFIG,
    added_tokens_decoder: {
      [tokenizer.vocabSize]: { content: '<x>', special: false },
      [tokenizer.vocabSize + 1]: { content: 'y', special: false },
    },
  };
  const other = new Tokenizer({ pieces: new FakeTokenizer(), config: JSON.stringify(config) });
  const random = randomIntegers(2);
  for (let round = 0; round < 1500; round++) {
    const all = randomIds(random, random(8)).flatMap((one) =>
      random(3) === 0 ? [one, other.vocabSize + random(2)] : [one],
    );
    const options = { skipSpecialTokens: random(2) === 0, spacesBetweenSpecialTokens: random(2) === 0 };
    const expected = referenceDecode(all, options, ['<x>', 'y']);
    expect(other.decode(all, options)).toBe(expected);
    const stream = other.createDecodeStream(options);
    expect(all.map((one) => stream.push([one])).join('') + stream.flush()).toBe(expected);
  }
});

test('a continuation is what decode(prompt + ids) has after decode(prompt)', () => {
  const random = randomIntegers(3);
  for (let round = 0; round < 800; round++) {
    const all = randomIds(random, random(12));
    const prompt = all.slice(0, random(all.length + 1));
    const options = { skipSpecialTokens: random(2) === 0 };
    const before = Array.from(referenceDecode(prompt, options)).length;
    const expected = Array.from(referenceDecode(all, options)).slice(before).join('');
    expect(streamed(all.slice(prompt.length), { ...options, prompt }, random).join('')).toBe(expected);
  }
  expect(streamed(ids('▁', 'b'), { prompt: ids('a') }, random).join('')).toBe(' b');
  expect(streamed(ids('b'), { prompt: ids('a', '▁') }, random).join('')).toBe(' b');
});

test('text comes as soon as it is certain', () => {
  const stream = tokenizer.createDecodeStream();
  expect(stream.push(ids('吾'))).toBe('吾');
  expect(stream.push(bytes(0xe3))).toBe('');
  expect(stream.push(bytes(0x81))).toBe('');
  expect(stream.push(bytes(0x82))).toBe('あ');
  expect(stream.push(ids('▁', '\n'))).toBe('');
  expect(stream.pendingText).toBe(' \n');
  expect(stream.textIfFollowed).toBe(' \n');
  expect(stream.push(ids('は'))).toBe(' \nは');
  expect(stream.push(bytes(0xf0, 0x9f))).toBe('');
  expect(stream.push(ids('b'))).toBe('\ufffd\ufffdb');
  expect(stream.push(ids('▁', '</s>'))).toBe(' </s>');
  // The next special token would put a space before this.
  expect(stream.push(ids('a'))).toBe('');
  expect(stream.push(ids('</s>', '<s>'))).toBe(' a</s><s>');
  expect(stream.flush()).toBe('');
});

test('replacements see the decoded text, however it is cut', () => {
  const replace = [['<NL>', '\n']] as const;
  const expand = (...tokens: string[]): string[] => {
    const stream = tokenizer.createDecodeStream({ replace });
    return [...tokens.map((token) => stream.push([id(token)])), stream.flush()];
  };
  expect(expand('a', '<NL>', 'b')).toEqual(['a', '\n', 'b', '']);
  expect(expand('a', '<', 'N', 'L', '>', 'b')).toEqual(['a', '', '', '', '\n', 'b', '']);
  expect(expand('a', '<', 'N', '<', 'N', 'L', '>')).toEqual(['a', '', '', '<N', '', '', '\n', '']);
  expect(expand('<', 'N')).toEqual(['', '', '<N']);
  for (const wrong of ['ab', [['', 'x']], ['ab'], [['a', 1]], [['a']]]) {
    expect(() => tokenizer.createDecodeStream({ replace: wrong as never })).toThrow('`replace');
  }
});

describe('StopMatcher', () => {
  test('never lets a beginning of a stop string through', () => {
    const matcher = new StopMatcher(['<end>', 'stop']);
    expect(matcher.push('a<en')).toEqual({ text: 'a', stopped: false });
    expect(matcher.push('<e')).toEqual({ text: '<en', stopped: false });
    expect(matcher.push('x s')).toEqual({ text: '<ex ', stopped: false });
    expect(matcher.push('top and more')).toEqual({ text: '', stopped: true });
  });

  test('gives the same text however it is cut', () => {
    const random = randomIntegers(4);
    for (let round = 0; round < 1200; round++) {
      const text = Array.from({ length: random(12) }, () => 'abc'[random(3)]).join('');
      const stops = Array.from({ length: 1 + random(2) }, () =>
        Array.from({ length: 1 + random(3) }, () => 'abc'[random(3)]).join(''),
      );
      // By definition: the first place where a stop string is complete, and of those the longest.
      let expected = text;
      for (let end = 1; end <= text.length; end++) {
        const found = stops.filter((stop) => text.slice(0, end).endsWith(stop)).map((stop) => stop.length);
        if (found.length === 0) continue;
        expected = text.slice(0, end - Math.max(...found));
        break;
      }
      const matcher = new StopMatcher(stops);
      let got = '';
      let stopped = false;
      for (let at = 0; at < text.length && !stopped; ) {
        const next = at + 1 + random(3);
        const step = matcher.push(text.slice(at, next));
        [got, stopped, at] = [got + step.text, step.stopped, next];
      }
      if (!stopped) got += matcher.flush();
      expect(got).toBe(expected);
    }
  });
});

describe('TextStream', () => {
  const run = (all: readonly number[], stops: readonly string[]) => {
    const stream = new TextStream(tokenizer.createDecodeStream(), stops);
    let text = '';
    let tokens = 0;
    const take = (step: { text: string; tokens: number; stopped: boolean }): boolean => {
      text += step.text;
      tokens += step.tokens;
      return step.stopped;
    };
    for (const one of all) {
      if (take(stream.push([one]))) return { text, tokens, stopped: true };
    }
    return { stopped: take(stream.flush()), text, tokens };
  };

  test('delivers every token at once without stop strings', () => {
    const stream = new TextStream(tokenizer.createDecodeStream());
    expect(stream.push(bytes(0xe3, 0x81))).toEqual({ text: '', tokens: 2, stopped: false });
    expect(stream.push(bytes(0x82))).toEqual({ text: 'あ', tokens: 1, stopped: false });
    expect(stream.flush()).toEqual({ text: '', tokens: 0, stopped: false });
  });

  test('cuts the token in which a stop string begins and keeps it', () => {
    expect(run(ids('a', 'ab', 'c'), ['bc'])).toEqual({ text: 'aa', tokens: 2, stopped: true });
    expect(run(ids('a', 'b', 'c'), ['bc'])).toEqual({ text: 'a', tokens: 1, stopped: true });
    expect(run(ids('a', 'b', 'b'), ['bc'])).toEqual({ text: 'abb', tokens: 3, stopped: false });
    expect(run(ids('a'), ['a'])).toEqual({ text: '', tokens: 0, stopped: true });
  });

  test('keeps back a token of bytes that may begin a stop string', () => {
    expect(run([...ids('a'), ...bytes(...Buffer.from('あ'))], ['あ'])).toEqual({
      text: 'a',
      tokens: 1,
      stopped: true,
    });
    expect(run([...ids('a'), ...bytes(...Buffer.from('あ')), ...ids('b')], ['b'])).toEqual({
      text: 'aあ',
      tokens: 4,
      stopped: true,
    });
  });

  test('knows where tokens begin whose text a replacement keeps back', () => {
    const replaced = (all: readonly number[], stop: string) => {
      const stream = new TextStream(tokenizer.createDecodeStream({ replace: [['<NL>', '\n']] }), [stop]);
      const steps = all.map((one) => stream.push([one]));
      return {
        text: steps.map(({ text }) => text).join(''),
        tokens: steps.reduce((sum, { tokens }) => sum + tokens, 0),
        stopped: steps.some(({ stopped }) => stopped),
      };
    };
    expect(replaced(ids('a', '<', 'N', 'b'), 'N')).toEqual({ text: 'a<', tokens: 2, stopped: true });
    expect(replaced(ids('a', '<', 'N', 'L', '>'), '\n')).toEqual({ text: 'a', tokens: 1, stopped: true });
    // What is kept back stands before the whitespace behind it.
    expect(replaced(ids('a', '<', '▁', 'b'), 'a ')).toEqual({ text: 'a< b', tokens: 4, stopped: false });
    expect(replaced(ids('a', '<', '▁'), '< ')).toEqual({ text: 'a', tokens: 1, stopped: true });
    expect(replaced(ids('a', '<'), '<')).toEqual({ text: 'a', tokens: 1, stopped: false });
  });

  test('stops at whitespace that decode() would strip', () => {
    expect(run(ids('a', '\n', 'b'), ['\n'])).toEqual({ text: 'a', tokens: 1, stopped: true });
    expect(run(ids('a', '▁', '\n', 'b'), ['\n'])).toEqual({ text: 'a ', tokens: 2, stopped: true });
    expect(run(ids('a', '▁', 'b'), [' b'])).toEqual({ text: 'a', tokens: 1, stopped: true });
    expect(run(ids('a', '▁', 'b'), ['b'])).toEqual({ text: 'a ', tokens: 2, stopped: true });
  });

  test('delivers each token once, and text that joins to decode()', () => {
    const random = randomIntegers(5);
    for (let round = 0; round < 1500; round++) {
      const all = randomIds(random, random(10)).filter((one) => one > 6);
      const result = run(all, ['zzz', 'ab\n']);
      const whole = tokenizer.decode(all);
      if (result.stopped) expect(`${whole}\n`).toContain(`${result.text}ab\n`);
      else expect(result).toEqual({ text: whole, tokens: all.length, stopped: false });
    }
  });
});
