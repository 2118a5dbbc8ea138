// tokenizer.json as untrusted input, and what is refused because it is of another kind.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FormatError, NeoxError } from '../../lib/errors';
import { Tokenizer } from '../../lib/tokenizer';

const shape = join(__dirname, '../fixtures/tokenizer/bpe/open-calm');
const text = readFileSync(join(shape, 'tokenizer.json'), 'utf8');
const config = readFileSync(join(shape, 'tokenizer_config.json'), 'utf8');
type Json = Record<string, unknown>;

function made(change: (file: Json, model: Json) => void, settings: Json = {}): () => Tokenizer {
  const file = JSON.parse(text) as Json;
  change(file, file.model as Json);
  const tokenizerJson = JSON.stringify(file);
  return () =>
    new Tokenizer({ tokenizerJson, config: JSON.stringify({ ...JSON.parse(config), ...settings }) });
}

const BROKEN: [string, (file: Json, model: Json) => void, string][] = [
  ['no model', (file) => delete file.model, 'model must be an object'],
  ['a vocabulary of another type', (_, model) => (model.vocab = [1]), 'model.vocab must be an object'],
  ['an id that is no integer', (_, model) => ((model.vocab as Json).x = '1'), 'an integer below'],
  ['an id that is negative', (_, model) => ((model.vocab as Json).x = -1), 'an integer below'],
  ['a huge id', (_, model) => ((model.vocab as Json).x = 4e9), 'an integer below'],
  ['an id twice', (_, model) => ((model.vocab as Json).x = 0), "0's only one"],
  ['no bytes', (_, model) => (model.vocab = { a: 0 }), 'lacks'],
  ['merges of another type', (_, model) => (model.merges = { a: 1 }), 'model.merges must be a list'],
  ['a merge of three', (_, model) => (model.merges = ['a b c']), 'two tokens'],
  ['a merge of nothing', (_, model) => (model.merges = [['', 'a']]), 'two tokens'],
  ['a merge of strangers', (_, model) => (model.merges = ['! 猫']), 'in the vocabulary'],
  ['a merge into a stranger', (_, model) => (model.merges = ['! ¡']), 'in the vocabulary'],
  ['added tokens of another type', (file) => (file.added_tokens = 'x'), 'added_tokens must be a list'],
  ['an added token without content', (file) => (file.added_tokens = [{ id: 3 }]), 'added_tokens[0]'],
  ['a long added token', (file) => (file.added_tokens = [{ content: 'x'.repeat(2000) }]), 'at most 1024'],
  [
    'a prefix that is no boolean',
    (file) => (file.pre_tokenizer = { type: 'ByteLevel', use_regex: 1 }),
    'a boolean',
  ],
];

test.each(BROKEN)('%s is an error that says so', (_, change, message) => {
  expect(made(change)).toThrow(FormatError);
  expect(made(change)).toThrow(message);
});

const OTHERS: [string, (file: Json, model: Json) => void][] = [
  ['another model', (_, model) => (model.type = 'WordPiece')],
  ['dropout', (_, model) => (model.dropout = 0.1)],
  ['a suffix of words', (_, model) => (model.end_of_word_suffix = '</w>')],
  ['another decoder', (file) => (file.decoder = { type: 'Metaspace' })],
  ['no decoder', (file) => (file.decoder = null)],
  ['another normalizer', (file) => (file.normalizer = { type: 'Lowercase' })],
  ['another pre-tokenizer', (file) => (file.pre_tokenizer = { type: 'Whitespace' })],
  ['no pre-tokenizer', (file) => (file.pre_tokenizer = null)],
  ['another post-processor', (file) => (file.post_processor = { type: 'BertProcessing' })],
  [
    'a pattern of its own, which could take forever',
    (file) => {
      const split = { type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated', invert: false };
      file.pre_tokenizer = { type: 'Sequence', pretokenizers: [split, { type: 'ByteLevel' }] };
    },
  ],
];

test.each(OTHERS)('%s is of another kind', (_, change) => {
  expect(made(change)).toThrow(NeoxError);
  expect(made(change)).toThrow('not supported');
});

test('a tokenizer of another class is of another kind', () => {
  expect(made(() => {}, { tokenizer_class: 'LlamaTokenizerFast' })).toThrow('not supported');
  expect(made(() => {}, { tokenizer_class: 'constructor' })).toThrow('not supported');
  expect(made(() => {}, { add_bos_token: true, bos_token: null })).toThrow('add_bos_token must be false');
});

test('names of prototypes are tokens like others', () => {
  const json = text.replace('"vocab":{', '"vocab":{"__proto__":900,"constructor":901,"toString":902,');
  const added = ['__proto__', 'constructor', '### x'].map((content) => ({ content, special: true }));
  const file = JSON.parse(json) as Json;
  const withAdded = JSON.stringify(file).replace(
    '"added_tokens":[',
    `"added_tokens":[${JSON.stringify(added).slice(1, -1)},`,
  );
  const settings = '{"__proto__":{"polluted":1},"additional_special_tokens":["__proto__"]}';
  const tokenizer = new Tokenizer({ tokenizerJson: withAdded, config: settings, specialTokensMap: settings });
  expect(tokenizer.tokenToId('__proto__')).toBe(900);
  expect(tokenizer.encode('a__proto__constructor toString').filter((id) => id >= 900)).toEqual([900, 901]);
  expect(({} as Json).polluted).toBeUndefined();
});

test('text of one endless word takes no more than a moment', () => {
  const tokenizer = made(() => {})();
  const word = 'a'.repeat(20_000);
  expect(tokenizer.decode(tokenizer.encode(word))).toBe(word);
  expect(() => tokenizer.encode('a'.repeat(1_100_000))).toThrow('a word of 1100000 bytes');
});

describe('Tokenizer.load', () => {
  const folder = mkdtempSync(join(tmpdir(), 'neox-bpe-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const load = (json: string): Promise<Tokenizer> => {
    writeFileSync(join(folder, 'tokenizer.json'), json);
    return Tokenizer.load(folder);
  };

  test('refuses what is no bounded JSON before JavaScript reads it', async () => {
    const code = (name: string) => expect.objectContaining({ code: `ERR_NEOX_FORMAT_${name}` });
    await expect(load('[')).rejects.toEqual(code('SYNTAX'));
    await expect(load('[]')).rejects.toEqual(code('TYPE'));
    await expect(load('['.repeat(100_000))).rejects.toEqual(code('LIMIT'));
    await expect(load(`[${'[],'.repeat(2_100_000)}0]`)).rejects.toEqual(code('LIMIT'));
    await expect(load(' '.repeat((16 << 20) + 1))).rejects.toEqual(code('LIMIT'));
    await expect(load('{"model":{"vocab":{"a":1,"a":2}}}')).rejects.toEqual(code('DUPLICATE'));
  });

  test('every truncation of a file is an error', async () => {
    for (let end = 1; end < text.length; end += 97) {
      await expect(load(text.slice(0, end))).rejects.toBeInstanceOf(FormatError);
    }
  });
});
