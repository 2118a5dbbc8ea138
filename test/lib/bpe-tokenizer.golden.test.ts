// Byte-level BPE tokenizers in the shapes of the sibling families against transformers 4.57.6.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '../../lib/tokenizer';

interface Golden {
  facts: { vocabSize: number; length: number; allSpecialIds: number[] } & Record<
    'bos' | 'eos' | 'unk' | 'pad',
    number | null
  >;
  strings: {
    text: string;
    tokens: string[];
    ids: number[];
    idsWithSpecial?: number[];
    idsSplitSpecial?: number[];
    decoded?: string;
    decodedSkip?: string;
  }[];
  idLists: { ids: number[]; decoded: string; decodedSkip: string; decodedCleanUp: string }[];
}

const folder = join(__dirname, '../fixtures/tokenizer/bpe');
const names = readdirSync(folder);

async function load(name: string): Promise<{ tokenizer: Tokenizer; golden: Golden }> {
  const path = join(folder, name);
  const golden: Golden = JSON.parse(readFileSync(join(path, 'golden.json'), 'utf8'));
  return { tokenizer: await Tokenizer.load(path), golden };
}

test('there is a tokenizer of each shape, and 200 strings', async () => {
  expect(names).toEqual(['digits', 'dolly', 'legacy', 'neox-20b', 'open-calm', 'plain-fast']);
  expect((await load('neox-20b')).golden.strings.length).toBeGreaterThanOrEqual(200);
});

test.each(names)('%s: strings', async (name) => {
  const { tokenizer, golden } = await load(name);
  for (const entry of golden.strings) {
    const { text, tokens, ids, decoded = text } = entry;
    const { idsWithSpecial = ids, idsSplitSpecial = ids, decodedSkip = decoded } = entry;
    expect([text, tokenizer.tokenize(text)]).toEqual([text, tokens]);
    expect(tokenizer.encode(text, { addSpecialTokens: false })).toEqual(ids);
    expect(tokenizer.encode(text)).toEqual(idsWithSpecial);
    expect([text, tokenizer.encode(text, { addSpecialTokens: false, splitSpecialTokens: true })]).toEqual([
      text,
      idsSplitSpecial,
    ]);
    expect(tokenizer.decode(ids)).toBe(decoded);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(decodedSkip);
  }
});

test.each(names)('%s: lists of ids, at once and one by one', async (name) => {
  const { tokenizer, golden } = await load(name);
  expect(golden.idLists.length).toBeGreaterThan(0);
  for (const { ids, decoded, decodedSkip, decodedCleanUp } of golden.idLists) {
    const expectDecoded = (text: string, options: Parameters<Tokenizer['decode']>[1]): void => {
      expect(tokenizer.decode(ids, options)).toBe(text);
      const stream = tokenizer.createDecodeStream(options);
      const pieces = ids.map((id) => stream.push([id]));
      expect(pieces.join('') + stream.flush()).toBe(text);
    };
    expectDecoded(decoded, { cleanUpTokenizationSpaces: false });
    expectDecoded(decodedSkip, { skipSpecialTokens: true, cleanUpTokenizationSpaces: false });
    expectDecoded(decodedCleanUp, { cleanUpTokenizationSpaces: true });
  }
});

test.each(names)('%s: sizes and special tokens', async (name) => {
  const { tokenizer, golden } = await load(name);
  const { facts } = golden;
  expect(tokenizer.vocabSize).toBe(facts.vocabSize);
  expect(tokenizer.allSpecialIds).toEqual(facts.allSpecialIds);
  const { bosTokenId, eosTokenId, unkTokenId, padTokenId } = tokenizer;
  expect([bosTokenId, eosTokenId, unkTokenId, padTokenId].map((id) => id ?? null)).toEqual([
    ...[facts.bos, facts.eos, facts.unk, facts.pad],
  ]);
  expect(() => tokenizer.idToToken(facts.length)).toThrow('not in the tokenizer');
  for (let id = 0; id < facts.length; id++) {
    expect(tokenizer.tokenToId(tokenizer.idToToken(id))).toBe(id);
  }
});

test('a stream ends no piece inside a character', async () => {
  const { tokenizer } = await load('neox-20b');
  const text = '猫😀👨‍👩‍👧‍👦は𠮷野家';
  const stream = tokenizer.createDecodeStream();
  const pieces = tokenizer.encode(text).map((id) => stream.push([id]));
  expect(pieces.some((piece) => piece === '')).toBe(true);
  expect(pieces.join('') + stream.flush()).toBe(text);
  for (const piece of pieces) expect(piece).not.toMatch(/\ufffd|[\ud800-\udbff]$|^[\udc00-\udfff]/);
});

test('parts are encoded as the joined text, with special tokens only where they are allowed', async () => {
  const { tokenizer } = await load('dolly');
  const part = (text: string, splitSpecialTokens: boolean) => ({ text, splitSpecialTokens });
  const encode = (...parts: ReturnType<typeof part>[]): number[] => tokenizer.encodeParts(parts);
  const joined = (text: string): number[] => tokenizer.encode(text);
  expect(encode(part('猫が', false), part(' いる  か\u3099', true), part('\u3099x', false))).toEqual(
    joined('猫が いる  か\u3099\u3099x'),
  );
  const end = tokenizer.tokenToId('### End');
  const ids = encode(part('### End', false), part('### End e\u0301', true), part('### End', false));
  expect(ids.filter((id) => id === end)).toHaveLength(2);
  expect([ids[0], ids.at(-1)]).toEqual([end, end]);
  expect(tokenizer.decode(ids)).toBe('### End### End é### End');
  // A token of the template is found although the user's text seems to begin another before it.
  expect(encode(part('<|endoftext', true), part('|>### End', false)).at(-1)).toBe(end);
});
