// Model.load with a type and a cache: the second load reads the copy, and a copy that is not what it must be is made again.

import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert, Model, type Progress, quantizedCacheFolder } from '../../lib/index.js';
import { checkpointPath } from '../integration/fixtures.js';

const type = 'Q8_0';
let root: string;
let source: string;
let cache: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'neox-cache-'));
  source = join(root, 'japanese-gpt-neox-3.6b-instruction-sft');
  cache = join(root, 'cache');
  cpSync(checkpointPath('sequential-erf'), source, { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const copies = () => (existsSync(cache) ? readdirSync(cache).sort() : []);
const theCopy = () => join(cache, copies()[0] as string);

async function logits(path: string, options: Parameters<typeof Model.load>[1]): Promise<number[]> {
  const model = await Model.load(path, options);
  const { data } = await model.logits([5, 6, 7]);
  await model.dispose();
  return [...data];
}

/** Runs `work` and gives the texts of the warnings that it made. */
async function warningsOf(work: () => Promise<unknown>): Promise<string[]> {
  const warnings: string[] = [];
  const emit = jest.spyOn(process, 'emitWarning').mockImplementation((warning) => {
    warnings.push(String(warning));
  });
  await work().finally(() => emit.mockRestore());
  return warnings;
}

test('the second load reads the copy, and both are what quantizing in memory gives', async () => {
  const plain = await logits(source, { type });
  expect(await logits(source, { type, cache })).toEqual(plain);
  expect(copies()).toEqual([
    expect.stringMatching(/^japanese-gpt-neox-3\.6b-instruction-sft-Q8_0-\w{16}\.gguf$/),
  ]);
  const { mtimeMs, ino } = statSync(theCopy());
  expect(await logits(source, { type: 'q8_0', cache })).toEqual(plain);
  expect(statSync(theCopy())).toMatchObject({ mtimeMs, ino });
});

test('the copy answers as its source does: name, chat format, type', async () => {
  const describe = async (options: Parameters<typeof Model.load>[1]) => {
    const model = await Model.load(source, options);
    const { name, fileType } = model.info;
    const told = { name, fileType, chatFormat: model.chatFormat?.name, defaults: model.generationDefaults };
    await model.dispose();
    return told;
  };
  const plain = await describe({ type });
  expect(plain).toMatchObject({ fileType: type, chatFormat: 'rinna-3.6b' });
  expect(await describe({ type, cache })).toEqual(plain);
  expect(await describe({ type, cache })).toEqual(plain);
});

test('progress rises over writing and reading, and ends complete', async () => {
  const seen: Progress[] = [];
  await logits(source, { type, cache, onProgress: (progress) => seen.push(progress) });
  const last = seen[seen.length - 1] as Progress;
  expect(last.done).toBe(last.total);
  expect(last.total).toBeGreaterThan(statSync(theCopy()).size);
  for (let i = 1; i < seen.length; i++) {
    expect(seen[i]?.done).toBeGreaterThanOrEqual(seen[i - 1]?.done as number);
    expect(seen[i]?.total).toBe(last.total);
  }
});

test('a GGUF file is a source too; each type and each state of the source has a copy of its own', async () => {
  const file = join(root, 'm.gguf');
  await convert(source, file, { type: 'F32' });
  await logits(file, { type, cache });
  await logits(file, { type: 'F16', cache });
  expect(copies().map((name) => name.replace(/\w{16}\.gguf/, ''))).toEqual(['m.gguf-F16-', 'm.gguf-Q8_0-']);
  utimesSync(file, new Date(), new Date(Date.now() + 5000));
  await logits(file, { type, cache });
  expect(copies()).toHaveLength(3);
  rmSync(file);
  await expect(logits(file, { type, cache })).rejects.toMatchObject({ code: 'ERR_NEOX_FILE_NOT_FOUND' });
});

test('a copy that is cut off, garbage or of another model is made again', async () => {
  const good = await logits(source, { type, cache });
  const bytes = readFileSync(theCopy());
  const foreign = join(root, 'foreign.gguf');
  await convert(source, foreign, { type });
  const damages: (() => void)[] = [
    () => truncateSync(theCopy(), bytes.length - 64),
    () => truncateSync(theCopy(), 0),
    () => writeFileSync(theCopy(), 'not a model'),
    () => cpSync(foreign, theCopy()),
  ];
  for (const damage of damages) {
    damage();
    expect(await logits(source, { type, cache })).toEqual(good);
    expect(readFileSync(theCopy()).equals(bytes)).toBe(true);
    expect(copies()).toHaveLength(1);
  }
});

test('what a dead process left goes, what another writes now stays', async () => {
  await logits(source, { type, cache });
  const [old, fresh] = [`${theCopy()}.1-0.tmp`, `${theCopy()}.2-0.tmp`];
  for (const file of [old, fresh]) writeFileSync(file, 'half a file');
  utimesSync(old, new Date(), new Date(Date.now() - 2 * 60 * 60 * 1000));
  rmSync(
    copies()
      .map((name) => join(cache, name))
      .find((file) => file.endsWith('.gguf')) as string,
  );
  await logits(source, { type, cache });
  expect(existsSync(old)).toBe(false);
  expect(existsSync(fresh)).toBe(true);
});

test('loads at the same time, in this and another process, leave one copy', async () => {
  const script = `
    const { Model } = require(${JSON.stringify(join(process.cwd(), 'dist'))});
    Model.load(process.argv[1], { type: 'Q8_0', cache: process.argv[2] }).then((model) => model.dispose());`;
  const here = Promise.all([1, 2, 3].map(() => logits(source, { type, cache })));
  const there = spawnSync(process.execPath, ['-e', script, source, cache], { encoding: 'utf8' });
  expect([there.status, there.stderr]).toEqual([0, '']);
  const all = await here;
  expect(all[1]).toEqual(all[0]);
  expect(copies()).toHaveLength(1);
});

test('where the cache cannot be written, the model loads with a warning', async () => {
  writeFileSync(cache, 'a file where the folder should be');
  const warnings = await warningsOf(async () => {
    expect(await logits(source, { type, cache })).toEqual(await logits(source, { type }));
  });
  expect(warnings).toEqual([expect.stringMatching(/quantized copy was not kept/)]);
});

test('an abort while the copy is written leaves nothing', async () => {
  const reason = new Error('enough');
  const controller = new AbortController();
  const loading = Model.load(source, {
    type,
    cache,
    signal: controller.signal,
    onProgress: () => controller.abort(reason),
  });
  await expect(loading).rejects.toBe(reason);
  expect(copies().filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

test('quantizing what is quantized warns, with a cache and without', async () => {
  const file = join(root, 'm.gguf');
  await convert(source, file, { type });
  for (const options of [{ type: 'Q4_0' }, { type: 'Q4_0', cache }] as const) {
    expect(await warningsOf(() => logits(file, options))).toEqual([
      expect.stringMatching(/quantized already/),
    ]);
  }
});

test('the folder follows the environment, and options are checked', async () => {
  const before = { ...process.env };
  try {
    if (process.platform === 'win32') process.env.LOCALAPPDATA = root;
    else process.env.XDG_CACHE_HOME = root;
    if (process.platform !== 'darwin') {
      expect(quantizedCacheFolder()).toBe(join(root, 'gpt-neox', 'quantized'));
      mkdirSync(join(root, 'gpt-neox'));
      await logits(source, { type, cache: true });
      expect(readdirSync(quantizedCacheFolder())).toHaveLength(1);
    }
  } finally {
    process.env = before;
  }
  const invalid = { code: 'ERR_NEOX_INVALID_ARGUMENT' };
  await expect(Model.load(source, { cache })).rejects.toMatchObject(invalid);
  await expect(Model.load(source, { type, cache: '' })).rejects.toMatchObject(invalid);
  await expect(Model.load(source, { type, cache: 1 as unknown as boolean })).rejects.toMatchObject(invalid);
});

test('a GGUF file is known by being a file, whatever its name', async () => {
  const file = join(root, 'model.bin');
  await convert(source, file);
  expect(await logits(file, { type, cache })).toEqual(await logits(file, { type }));
  expect(copies()).toEqual([expect.stringMatching(/^model\.bin-Q8_0-/)]);
});

test('a file that has the type already is not copied', async () => {
  const file = join(root, 'model.gguf');
  await convert(source, file, { type });
  expect(await warningsOf(() => logits(file, { type, cache }))).toEqual([]);
  expect(copies()).toEqual([]);
});
