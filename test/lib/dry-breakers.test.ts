// Texts as sequence breakers of DRY, and what the penalties do to a generation.

import { join } from 'node:path';
import { resolveBreakers } from '../../lib/dry-breakers';
import { demoModelPath, Model, Tokenizer } from '../../lib/index';

const prompt = 'ユーザー: 富士山の高さは?<NL>システム: ';
const greedy = { temperature: 0, eosTokenId: null, maxNewTokens: 80 };
let model: Model;
let tokenizer: Tokenizer;

beforeAll(async () => {
  model = await Model.load(demoModelPath());
  tokenizer = model.tokenizer;
});
afterAll(() => model.dispose());

const tokens = (ids: Int32Array): string[] => Array.from(ids, (id) => tokenizer.idToToken(id));
const encode = (text: string): number[] => tokenizer.encode(text, { addSpecialTokens: false });

test('a text stands for the tokens that hold it, and for its own ids', () => {
  const { dryBreakerIds, dryBreakerSequences } = resolveBreakers(['です', '\n', '<NL>'], tokenizer);
  const held = tokens(dryBreakerIds);
  expect(held).toEqual(expect.arrayContaining(['です', 'ですか', '\n', '<0x0A>']));
  expect(held.every((token) => /です|^\n$|^<0x0A>$/.test(token))).toBe(true);
  expect(dryBreakerSequences.map((ids) => Array.from(ids))).toEqual([encode('<NL>')]);
});

test('tokens of a byte-level vocabulary hold what their bytes spell', async () => {
  const bpe = await Tokenizer.load(join(__dirname, '../fixtures/tokenizer/bpe/neox-20b'));
  const spelled = (text: string): string[] =>
    Array.from(resolveBreakers([text], bpe).dryBreakerIds, (id) => bpe.surfaceOf(id));
  expect(spelled('\n').length).toBeGreaterThan(1);
  for (const text of ['\n', ':', ' ', 'の'])
    expect(spelled(text).filter((surface) => !surface.includes(text))).toEqual([]);
});

test('without a word the published ones stand, where there is a tokenizer', () => {
  const { dryBreakerIds } = resolveBreakers(undefined, tokenizer);
  expect(new Set(tokens(dryBreakerIds))).toEqual(
    new Set(['\n', '<0x0A>', ':', '"', '*', '<0x22>', '<0x2A>', '<0x3A>']),
  );
  expect(resolveBreakers(undefined, undefined)).toEqual({
    dryBreakerIds: new Int32Array(),
    dryBreakerSequences: [],
  });
});

test("in chat a line break stands for the format's as well", () => {
  const { dryBreakerSequences } = resolveBreakers(undefined, tokenizer, [['<NL>', '\n']]);
  expect(dryBreakerSequences.map((ids) => Array.from(ids))).toEqual([encode('<NL>')]);
});

test('text without a tokenizer is an error', () => {
  expect(() => resolveBreakers([':'], undefined)).toThrow(
    expect.objectContaining({ code: 'ERR_NEOX_INVALID_ARGUMENT' }),
  );
});

function repeats(ids: readonly number[], n: number): number {
  const runs = ids.slice(0, ids.length - n + 1).map((_, at) => ids.slice(at, at + n).join());
  return runs.length - new Set(runs).size;
}

test('the penalties change what is generated, and an id that is biased away never comes', async () => {
  const idsOf = async (options: object): Promise<number[]> =>
    (await model.generate(prompt, { ...greedy, ...options }).result()).tokenIds;
  const plain = await idsOf({});
  expect(repeats(plain, 4)).toBeGreaterThan(0);
  const dry = await idsOf({ dryMultiplier: 5, drySequenceBreakers: [] });
  expect(repeats(dry, 4)).toBeLessThan(repeats(plain, 4));
  const [first = 0] = plain;
  expect(await idsOf({ logitBias: { [first]: -100 } })).not.toContain(first);
  const count = (ids: number[]): number => new Set(ids).size;
  expect(count(await idsOf({ presencePenalty: 2, frequencyPenalty: 2 }))).toBeGreaterThan(count(plain));
});

test('chat takes them, too', async () => {
  const messages = [{ role: 'user' as const, content: '富士山の高さは?' }];
  const { tokenIds } = await model.chat(messages, { ...greedy, dryMultiplier: 0.8 }).result();
  expect(tokenIds).toHaveLength(80);
});
