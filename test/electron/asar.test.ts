// The example in an archive, as Electron's packagers make one: what native code reads must end outside.

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createPackageWithOptions, extractFile, getRawHeader, listPackage } from '@electron/asar';
import { outsideArchive } from '../../lib/asar.js';
import { Model } from '../../lib/index.js';
import { ADDON, DEMO, type InstalledExample, installExample } from './installed-example.js';

const UNPACK = '**/*.{node,gguf}';
let example: InstalledExample;
let archive: string;
let bare: string;
const inPackage = (path: string): string => join('node_modules', 'gpt-neox', path);

beforeAll(async () => {
  example = installExample();
  archive = join(example.folder, 'out', 'app.asar');
  bare = join(example.folder, 'out', 'bare.asar');
  await createPackageWithOptions(example.folder, archive, { unpack: UNPACK });
  await createPackageWithOptions(example.folder, bare, {});
});
afterAll(() => example?.remove());

test('the rule is the one of the documentation and of the example', () => {
  const page = readFileSync(join(__dirname, '..', '..', 'docs', 'electron.md'), 'utf8');
  expect(page).toContain(`"${UNPACK}"`);
  const { build } = JSON.parse(readFileSync(join(example.folder, 'package.json'), 'utf8'));
  expect(build.asarUnpack).toEqual([UNPACK]);
});

test('the addon and the demo model end outside, everything else inside', () => {
  type Entry = { files?: Record<string, Entry>; unpacked?: boolean };
  const unpacked: string[] = [];
  const walk = (entry: Entry, path: string): void => {
    if (entry.unpacked && !entry.files) unpacked.push(path);
    for (const [name, each] of Object.entries(entry.files ?? {})) walk(each, `${path}/${name}`);
  };
  walk(getRawHeader(archive).header as Entry, '');
  expect(unpacked.sort()).toEqual(
    [`/node_modules/gpt-neox/${DEMO}`, `/node_modules/gpt-neox/${ADDON}`].sort(),
  );
  for (const path of [ADDON, DEMO])
    expect(existsSync(join(`${archive}.unpacked`, inPackage(path)))).toBe(true);
  const names = listPackage(archive, { isPack: false }).map((name) => name.replaceAll('\\', '/'));
  for (const name of ['main.mjs', 'host.mjs', 'preload.cjs', 'page/index.html'])
    expect(names).toContain(`/${name}`);
  expect(extractFile(archive, 'main.mjs').toString()).toContain('MessageChannelMain');
});

test('a model in an archive is read from its copy outside', async () => {
  const inside = join(archive, inPackage(DEMO));
  expect(outsideArchive(inside)).toBe(join(`${archive}.unpacked`, inPackage(DEMO)));
  const model = await Model.load(inside);
  expect((await model.chat([{ role: 'user', content: '富士山の高さは?' }]).result()).text).toContain('3776');
  await model.dispose();
});

test('the addon outside is one that loads', () => {
  // Electron turns the path inside into this one by itself.
  const addon = createRequire(__filename)(join(`${archive}.unpacked`, inPackage(ADDON)));
  expect(addon.errorCodes).toContain('ERR_NEOX_INTERNAL');
});

test('a model that was not unpacked is an error that says what to do', async () => {
  await expect(Model.load(join(bare, inPackage(DEMO)))).rejects.toMatchObject({
    code: 'ERR_NEOX_FILE_NOT_FOUND',
    message: expect.stringContaining('asarUnpack'),
  });
});

test.each(['model.gguf', 'folder.asar.unpacked/model.gguf', 'no-such.asar/model.gguf', 'x.asar'])(
  '%s stays as it is',
  (path) => expect(outsideArchive(path)).toBe(path),
);
