// Golden strings and lists of ids of the slow T5Tokenizer, for tokenizers of every shape: from the directory and from our GGUF.

import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert, Tokenizer } from '../../lib/index.js';
import { fixturesDir } from './fixtures.js';
import { differences, type SpieceCase } from './spiece-cases.js';
import { zeroCheckpoint } from './zero-checkpoint.js';

type Compact<T> = T extends { tokens: string[] } ? Omit<T, 'tokens'> & { tokens: string[] | number } : never;

interface Golden {
  model: string;
  /** Hexadecimal; what follows the model in spiece.model. */
  more: string;
  files: Record<string, object>;
  /** Tokens given as a number are those of as many ids. */
  strings: Compact<SpieceCase>[];
  idLists: Exclude<SpieceCase, { text: string }>[];
}

const goldenDir = join(fixturesDir, 'tokenizer', 'spiece');
const shapes = readdirSync(goldenDir).flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -5)] : []));
const folder = mkdtempSync(join(tmpdir(), 'neox-spiece-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const golden = (shape: string): Golden => JSON.parse(readFileSync(join(goldenDir, `${shape}.json`), 'utf8'));

function cases(tokenizer: Tokenizer, { strings, idLists }: Golden): SpieceCase[] {
  const whole = strings.map(({ tokens, ...entry }) => ({
    ...entry,
    tokens:
      typeof tokens === 'number' ? entry.ids.slice(0, tokens).map((id) => tokenizer.idToToken(id)) : tokens,
  }));
  return [...whole, ...idLists];
}

function writeTokenizer(shape: string): string {
  const { model, more, files } = golden(shape);
  const directory = join(folder, `${shape}-files`);
  mkdirSync(directory);
  const spiece = join(directory, 'spiece.model');
  copyFileSync(join(goldenDir, `${model}.model`), spiece);
  writeFileSync(spiece, Buffer.from(more, 'hex'), { flag: 'a' });
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(directory, name), JSON.stringify(content));
  return directory;
}

test('there are at least 2,000 strings', () => {
  const count = shapes.reduce((sum, shape) => sum + golden(shape).strings.length, 0);
  expect(count).toBeGreaterThanOrEqual(2000);
});

test.each(shapes)(
  '%s: tokens, ids and text are those of the slow T5Tokenizer, also from GGUF',
  async (shape) => {
    const directory = writeTokenizer(shape);
    const file = join(folder, `${shape}.gguf`);
    await convert(zeroCheckpoint(join(folder, shape), directory, 1100), file);
    for (const path of [directory, file]) {
      const tokenizer = await Tokenizer.load(path);
      const all = cases(tokenizer, golden(shape));
      expect(all.flatMap((entry) => differences(tokenizer, entry)).slice(0, 10)).toEqual([]);
    }
  },
);
