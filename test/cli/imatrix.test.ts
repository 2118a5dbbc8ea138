import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectFailure, neox, temporaryFolder } from './program.js';

const folder = temporaryFolder();
afterAll(folder.remove);
const at = (name: string) => join(folder.path, name);

beforeAll(() => writeFileSync(at('text.txt'), '富士山は日本で一番高い山です。\n'.repeat(40)));

test('collects on a text, and says where on stderr', async () => {
  const output = at('m.gguf');
  const args = ['-f', at('text.txt'), '-o', output, '-c', '32', '--chunks', '2', '--json'];
  const { status, stdout, stderr } = await neox(['imatrix', ...args]);
  expect(stderr).toMatch(/^neox: wrote .*m\.gguf, [\d.]+ KiB in [^\n]+\n$/);
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ chunks: 2, tokens: 64 });
  expect(readFileSync(output).includes('text.txt')).toBe(true);
  expectFailure(await neox(['imatrix', ...args]), 3, /exists already; --force/);
});

test('adds what earlier runs have collected', async () => {
  const add = ['--in-file', at('m.gguf'), '--in-file', at('m.gguf')];
  const merged = await neox(['imatrix', ...add, '-o', at('sum.dat'), '--json']);
  expect(merged.status).toBe(0);
  expect(JSON.parse(merged.stdout)).toMatchObject({ chunks: 0 });
  const more = ['-f', '-', '-c', '32', '--in-file', at('sum.dat'), '-o', at('more.gguf')];
  const { status } = await neox(['imatrix', ...more], { input: readFileSync(at('text.txt')) });
  expect(status).toBe(0);
});

test('misuse is told', async () => {
  expectFailure(await neox(['imatrix', '-o', at('x')]), 2, /a text with --file, or matrices with --in-file/);
  const long = ['-f', at('text.txt'), '-c', '512', '-o', at('x')];
  writeFileSync(at('short.txt'), '山');
  long[1] = at('short.txt');
  expectFailure(await neox(['imatrix', ...long]), 2, /fewer than one chunk of 512/);
  const broken = ['--in-file', at('text.txt'), '-o', at('x')];
  expectFailure(await neox(['imatrix', ...broken]), 3, /text\.txt.*\(ERR_NEOX_FORMAT_\w+\)/);
  expect(existsSync(at('x'))).toBe(false);
});
