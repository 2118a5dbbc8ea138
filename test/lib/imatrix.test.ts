// Importance matrices from JavaScript: options, a text through the tokenizer, files added up, cancelling.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ArgumentError,
  collectImportance,
  demoModelPath,
  FormatError,
  mergeImportance,
  Tokenizer,
} from '../../lib/index.js';
import { checkpointPath } from '../integration/fixtures.js';

const tiny = checkpointPath('sequential-erf');
const ids = Array.from({ length: 100 }, (_, index) => (index * 7) % 128);
let folder: string;
const at = (name: string) => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'neox-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('ids are run in whole chunks, with progress in tokens', async () => {
  const reports: [number, number][] = [];
  const result = await collectImportance(tiny, at('ids.gguf'), {
    ids,
    contextLength: 32,
    onProgress: ({ done, total }) => reports.push([done, total]),
  });
  expect(result).toEqual({ chunks: 3, tokens: 96, entries: 8 });
  expect(reports.every(([done, total]) => done <= total && total === 96)).toBe(true);
});

test('a text goes through the tokenizer of the model', async () => {
  const text = '富士山は日本で一番高い山です。'.repeat(20);
  const tokenizer = await Tokenizer.load(demoModelPath());
  const encoded = tokenizer.encode(text, { addSpecialTokens: false });
  const settings = { contextLength: 16, chunks: 2, dataset: 'a.txt', processOutput: true };
  const result = await collectImportance(demoModelPath(), at('text.gguf'), { text, ...settings });
  expect(result).toMatchObject({ chunks: 2, tokens: 32 });
  await collectImportance(demoModelPath(), at('same.gguf'), { ids: encoded, ...settings });
  expect(readFileSync(at('text.gguf')).equals(readFileSync(at('same.gguf')))).toBe(true);
});

test('matrices add up, in both forms', async () => {
  await collectImportance(tiny, at('a.gguf'), { ids, contextLength: 32, chunks: 1 });
  await collectImportance(tiny, at('b.dat'), { ids, contextLength: 32, chunks: 2 });
  await expect(mergeImportance([at('a.gguf'), at('b.dat')], at('sum.gguf'))).resolves.toMatchObject({
    chunks: 0,
    entries: 8,
  });
  const more = { ids, contextLength: 32, inputs: [at('sum.gguf')] };
  await expect(collectImportance(tiny, at('more.gguf'), more)).resolves.toMatchObject({ chunks: 3 });
  await expect(mergeImportance([`${tiny}/config.json`], at('x'))).rejects.toBeInstanceOf(FormatError);
});

test.each<[string, object]>([
  ['neither text nor ids', {}],
  ['both', { text: 'a', ids: [1] }],
  ['an empty text', { ids: [] }],
  ['a chunk of nothing', { ids, contextLength: 0 }],
  ['a chunk longer than the text', { ids, contextLength: 101 }],
  ['a chunk longer than the model takes', { ids: Array(600).fill(5), contextLength: 300 }],
  ['an unknown option', { ids, chunkSize: 3 }],
  ['inputs that are no list', { ids, inputs: 'a' }],
  ['an id outside the vocabulary', { ids: Array(600).fill(128), contextLength: 64 }],
])('%s is an argument error, and nothing is written', async (_name, options) => {
  const before = readdirSync(folder);
  await expect(collectImportance(tiny, at('never'), options)).rejects.toBeInstanceOf(ArgumentError);
  expect(readdirSync(folder)).toEqual(before);
});

test('an abort ends it', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const work = collectImportance(tiny, at('never'), {
    ids: Array.from({ length: 256 * 500 }, (_, index) => index % 128),
    contextLength: 256,
    signal: controller.signal,
    onProgress: () => controller.abort(reason),
  });
  await expect(work).rejects.toBe(reason);
  expect(readdirSync(folder)).not.toContain('never');
});
