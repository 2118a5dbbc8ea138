// What a text costs grows as the text does: no line is too long for the tokenizer.

import { demoModelPath, Tokenizer } from '../../lib/index.js';

let tokenizer: Tokenizer;

beforeAll(async () => {
  tokenizer = await Tokenizer.load(demoModelPath());
});

/** Milliseconds of CPU time, the least of three. */
function cost(work: () => void): number {
  const once = () => {
    const start = process.cpuUsage();
    work();
    return process.cpuUsage(start).user / 1e3;
  };
  return Math.min(once(), once(), once());
}

// Sixteen times the text may cost 48 times as much before this fails; a square would be 256 times.
test.each<string[]>([
  ['Japanese', '吾輩は猫である。名前はまだ無い。'],
  ['characters that no piece spells', '龘𠮷鬱'],
  ['one letter', 'あ'],
  ['spaces', ' ', 'a', 'b'],
  ['special tokens', 'あ</s>い'],
  ['beginnings of special tokens', '<s</s'],
])('encoding and decoding take linear time: %s', (_, unit = '', before = '', after = '') => {
  const text = (bytes: number) => before + unit.repeat(Math.ceil(bytes / Buffer.byteLength(unit))) + after;
  const [short, long] = [text(10_000), text(160_000)];
  const [shortIds, longIds] = [tokenizer.encode(short), tokenizer.encode(long)];
  expect(longIds.length).toBeGreaterThan(shortIds.length * 15);
  for (const [small, large] of [
    [() => tokenizer.encode(short), () => tokenizer.encode(long)],
    [() => tokenizer.tokenize(short), () => tokenizer.tokenize(long)],
    [() => tokenizer.decode(shortIds), () => tokenizer.decode(longIds)],
  ] as const) {
    expect(cost(large)).toBeLessThan(48 * Math.max(1, cost(small)));
  }
});
