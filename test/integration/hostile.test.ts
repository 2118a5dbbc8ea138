// The files of test/fixtures/hostile through the public API, all in this one process, which is still well afterwards.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Model, NeoxError, Tokenizer } from '../../lib';
import { fixturesDir } from './fixtures';

interface Case {
  kind: string;
  file: string;
  code: string;
  cause: string;
}

const hostile = join(fixturesDir, 'hostile');
const cases: Case[] = JSON.parse(readFileSync(join(hostile, 'expected.json'), 'utf8'));
const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
const options = { contextLength: 8, maxSequences: 1 };
let scratch: string;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'neox-hostile-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Where each file of a folder comes from, by its name there; the file of the case is '.'. */
const layouts: Record<string, Record<string, string>> = {
  safetensors: { 'config.json': 'config.json', 'model.safetensors': '.' },
  torch: { 'config.json': 'config.json', 'pytorch_model.bin': '.' },
  config: { 'config.json': '.', 'model.safetensors': 'safetensors/control.safetensors' },
  index: {
    'config.json': 'config.json',
    'model.safetensors.index.json': '.',
    ...Object.fromEntries(shards.map((name) => [name, name])),
  },
  spiece: {
    'config.json': 'config.json',
    'model.safetensors': 'safetensors/control.safetensors',
    'spiece.model': '.',
  },
  tokenizer_json: {
    'config.json': 'config.json',
    'model.safetensors': 'safetensors/control.safetensors',
    'tokenizer.json': '.',
  },
};

// The other kinds are read by test/native/hostile_test.cpp alone.
const kinds = ['gguf', 'gguf-tokenizer', ...Object.keys(layouts)];
// Their models are good.
const tokenizerKinds = ['gguf-tokenizer', 'spiece', 'tokenizer_json'];

function pathOf({ kind, file }: Case): string {
  const path = join(hostile, kind, file);
  const layout = layouts[kind];
  if (!layout) return path;
  const folder = join(scratch, `${kind}-${file}`);
  mkdirSync(join(folder, 'folder.safetensors'), { recursive: true });
  for (const [name, from] of Object.entries(layout)) {
    cpSync(from === '.' ? path : join(hostile, from), join(folder, name));
  }
  return folder;
}

async function codeOf(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return 'OK';
  } catch (error) {
    return error instanceof NeoxError ? error.code : `another error: ${error}`;
  }
}

async function loadAndRun(path: string): Promise<void> {
  const model = await Model.load(path, options);
  try {
    const result = await model.generate([1, 2, 3], { maxNewTokens: 2, temperature: 0 }).result();
    expect(result.tokenIds.length).toBeGreaterThan(0);
  } finally {
    await model.dispose();
  }
}

async function loadTokenizer(path: string): Promise<void> {
  const tokenizer = await Tokenizer.load(path);
  const ids = tokenizer.encode('abc 猫 \n😀');
  tokenizer.decode(ids);
}

test('the set is whole', () => {
  expect(cases.filter((each) => each.code !== 'OK').length).toBeGreaterThanOrEqual(80);
  for (const kind of kinds) expect(cases).toContainEqual(expect.objectContaining({ kind, code: 'OK' }));
});

describe.each(kinds)('%s', (kind) => {
  const own = cases.filter((each) => each.kind === kind);

  test('each hostile file is refused with its code, each control loads and runs', async () => {
    const found: Record<string, string> = {};
    const expected: Record<string, string> = {};
    for (const each of own) {
      const path = pathOf(each);
      const load = tokenizerKinds.includes(kind) ? () => loadTokenizer(path) : () => loadAndRun(path);
      found[each.file] = await codeOf(load);
      expected[each.file] = each.code;
    }
    expect(found).toEqual(expected);
  });

  test('inspecting and loading agree', async () => {
    for (const each of own) {
      const path = pathOf(each);
      const inspected = await codeOf(() => Model.inspect(path, { contextLength: 8 }));
      // A model whose tokenizer is broken may be looked at all the same.
      const agrees = inspected === each.code || (tokenizerKinds.includes(kind) && inspected === 'OK');
      expect(`${each.file} ${agrees ? each.code : inspected}`).toBe(`${each.file} ${each.code}`);
    }
  });
});
