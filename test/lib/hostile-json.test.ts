// The JSON files that are read in TypeScript, mutated: a typed error or a tokenizer that works, in bounded time.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NeoxError } from '../../lib';
import { readGenerationConfig } from '../../lib/generation-config';
import { Tokenizer } from '../../lib/tokenizer';
import { FakeTokenizer, RINNA_CONFIG } from './fake-tokenizer';
import { mutateJson, randomNumbers } from './mutate-json';

// Of each file; all take a few seconds.
const MUTANTS = Number(process.env.NEOX_MUTANTS ?? 1000);
const TIMEOUT_MS = 30_000 + MUTANTS * 40;
const MOST_MS = 100; // of processor time, for an input of at most 64 KiB
const TEXT = ' 吾輩は猫である。</s> a<x>b\n\u0000😀 __proto__ 12,345';

const bpe = (folder: string, name: string): string =>
  readFileSync(join(__dirname, '..', 'fixtures', 'tokenizer', 'bpe', folder, name), 'utf8');

function use(tokenizer: Tokenizer): void {
  const ids = tokenizer.encode(TEXT);
  for (const id of ids) expect(Number.isInteger(id) && id >= 0).toBe(true);
  tokenizer.decode(ids);
  tokenizer.tokenize(TEXT, { splitSpecialTokens: true });
}

const spiece = (files: object): void =>
  use(new Tokenizer({ pieces: new FakeTokenizer(), config: JSON.stringify(RINNA_CONFIG), ...files }));
const byteLevel = (files: object): void =>
  use(new Tokenizer({ tokenizerJson: bpe('legacy', 'tokenizer.json'), config: '{}', ...files }));

const rich = {
  ...RINNA_CONFIG,
  additional_special_tokens: ['<a>', { content: '<b>', lstrip: true, special: true }],
  added_tokens_decoder: {
    900: { content: '<x>', rstrip: true, special: true },
    901: { content: 'を', single_word: true },
  },
  extra_special_tokens: { image: '<img>' },
  legacy: true,
  split_special_tokens: false,
};
const generation = {
  bos_token_id: 2,
  eos_token_id: [3, 4],
  do_sample: true,
  temperature: 0.8,
  top_k: 50,
  top_p: 0.9,
  bad_words_ids: [[1, 2], [3]],
  exponential_decay_length_penalty: [5, 1.1],
  suppress_tokens: [1],
  max_new_tokens: 256,
};

const files: [name: string, text: string, read: (json: string) => void][] = [
  ['tokenizer_config.json of a spiece.model', JSON.stringify(rich), (config) => spiece({ config })],
  [
    'special_tokens_map.json',
    JSON.stringify({ bos_token: { content: '<s>', lstrip: false }, additional_special_tokens: ['<a>'] }),
    (specialTokensMap) => spiece({ specialTokensMap }),
  ],
  ['added_tokens.json', JSON.stringify({ '<x>': 900, '<y>': 901 }), (addedTokens) => spiece({ addedTokens })],
  [
    'tokenizer_config.json of a tokenizer.json',
    bpe('digits', 'tokenizer_config.json'),
    (config) => byteLevel({ config }),
  ],
  ['tokenizer.json', bpe('digits', 'tokenizer.json'), (tokenizerJson) => byteLevel({ tokenizerJson })],
  [
    'tokenizer.json with merges as text',
    bpe('legacy', 'tokenizer.json'),
    (tokenizerJson) => byteLevel({ tokenizerJson }),
  ],
  ['generation_config.json', JSON.stringify(generation), (json) => void readGenerationConfig(json)],
];

/** Milliseconds of processor time; the least of a few attempts, because the machine may be busy. */
function costOf(work: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 4 && least > MOST_MS; attempt++) {
    const begin = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(begin);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}

test.each(files)(
  '%s: mutants are errors of the package or well',
  (_name, text, read) => {
    read(text);
    let refused = 0;
    for (let seed = 0; seed < MUTANTS; seed++) {
      const mutant = mutateJson(text, randomNumbers(seed));
      let failure: unknown;
      const cost = costOf(() => {
        try {
          failure = undefined;
          read(mutant);
        } catch (error) {
          failure = error;
        }
      });
      refused += failure === undefined ? 0 : 1;
      if (failure !== undefined && !(failure instanceof NeoxError)) {
        throw new Error(`seed ${seed}: ${failure}`, { cause: failure });
      }
      if (mutant.length <= 65_536 && cost > MOST_MS) throw new Error(`seed ${seed} takes ${cost} ms`);
    }
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThan(MUTANTS);
    expect(({} as Record<string, unknown>).x).toBeUndefined(); // no mutant reached Object.prototype
  },
  TIMEOUT_MS,
);

test('an object that cannot become text is refused where text belongs', () => {
  const odd = { toString: 1 };
  const json = JSON.parse(bpe('digits', 'tokenizer.json'));
  const single = [{ SpecialToken: { id: odd } }, { Sequence: { id: 'A' } }];
  const tokenizerJson = JSON.stringify({ ...json, post_processor: { type: 'TemplateProcessing', single } });
  const refusal = expect.objectContaining({ code: 'ERR_NEOX_FORMAT_VALUE' });
  expect(() => byteLevel({ tokenizerJson })).toThrow(refusal);
  expect(() => byteLevel({ config: JSON.stringify({ tokenizer_class: odd }) })).toThrow(refusal);
  expect(() => byteLevel({ addedTokens: JSON.stringify({ '<x>': odd }) })).toThrow(refusal);
});

test('spaces before a token that strips them take time in proportion', () => {
  const mask = { content: '<mask>', lstrip: true, rstrip: true, special: true };
  const config = JSON.stringify({ added_tokens_decoder: { 900: mask } });
  const tokenizer = new Tokenizer({ tokenizerJson: bpe('legacy', 'tokenizer.json'), config });
  const ids = (text: string): number[] => tokenizer.encode(text);
  expect(ids('x \u3000\n<mask>\u00a0\ty')).toEqual([...ids('x'), ...ids('<mask>'), ...ids('y')]);
  const spaces = ' '.repeat(30_000); // tried from each of them on, 400 million steps
  expect(costOf(() => ids(`${spaces}x<mask>`))).toBeLessThan(MOST_MS);
});
