// The real tokenizer of the demo model against the slow T5Tokenizer of transformers 4.57.6.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '../../lib/tokenizer';

interface Golden {
  vocabSize: number;
  strings: {
    text: string;
    tokens: string[];
    ids: number[];
    idsWithEos: number[];
    idsSplitSpecial?: number[];
    decoded: string;
    decodedSkip: string;
  }[];
  idLists: { ids: number[]; decoded: string; decodedSkip: string; decodedCleanUp?: string }[];
}

const root = join(__dirname, '../..');
const golden: Golden = JSON.parse(
  readFileSync(join(root, 'test/fixtures/tokenizer/demo_strings.json'), 'utf8'),
);
let tokenizer: Tokenizer;

beforeAll(async () => {
  tokenizer = await Tokenizer.load(join(root, 'lib/assets/demo.Q8_0.gguf'));
});

function expectDecoded(ids: number[], decoded: string, options: Parameters<Tokenizer['decode']>[1]): void {
  expect(tokenizer.decode(ids, options)).toBe(decoded);
  const stream = tokenizer.createDecodeStream(options);
  expect(ids.map((id) => stream.push([id])).join('') + stream.flush()).toBe(decoded);
}

test('strings', () => {
  expect(golden.strings.length).toBeGreaterThanOrEqual(200);
  expect(tokenizer.vocabSize).toBe(golden.vocabSize);
  for (const entry of golden.strings) {
    expect(tokenizer.tokenize(entry.text)).toEqual(entry.tokens);
    expect(tokenizer.encode(entry.text, { addSpecialTokens: false })).toEqual(entry.ids);
    expect(tokenizer.encode(entry.text)).toEqual(entry.idsWithEos);
    expect(tokenizer.encode(entry.text, { addSpecialTokens: false, splitSpecialTokens: true })).toEqual(
      entry.idsSplitSpecial ?? entry.ids,
    );
    expectDecoded(entry.idsWithEos, entry.decoded, {});
    expectDecoded(entry.idsWithEos, entry.decodedSkip, { skipSpecialTokens: true });
  }
});

test('lists of ids', () => {
  expect(golden.idLists.length).toBeGreaterThan(0);
  for (const { ids, decoded, decodedSkip, decodedCleanUp } of golden.idLists) {
    expectDecoded(ids, decoded, {});
    expectDecoded(ids, decodedSkip, { skipSpecialTokens: true });
    expectDecoded(ids, decodedCleanUp ?? decoded, { cleanUpTokenizationSpaces: true });
  }
});
