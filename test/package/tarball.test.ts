// What the package consists of: nothing is missing, and nothing is there without a reason.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { node, type Packed, pack, root } from './project.js';

interface Manifest {
  main: string;
  types: string;
  exports: Record<string, string | Record<'import' | 'require', { types: string; default: string }>>;
  bin: Record<string, string>;
  dependencies: Record<string, string>;
  scripts: Record<string, string>;
}
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
const folder = mkdtempSync(join(tmpdir(), 'neox-tarball-'));
let packed: Packed;
let names: string[];

beforeAll(() => {
  packed = pack(folder);
  names = packed.files.map(({ path }) => path);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// Each kind of file, and why a user needs it.
const reasons: readonly (readonly [RegExp, string])[] = [
  [
    /^(package\.json|README\.md|README\.ja\.md|LICENSE|NOTICE|CHANGELOG\.md)$/,
    'what it is, and its licences',
  ],
  [/^dist\/(?!cli\/|vendor\/)[\w/-]+\.(js|mjs|d\.ts|d\.mts)$/, 'the library and its types'],
  [/^dist\/cli\/[\w/-]+\.js$/, 'the program'],
  [/^dist\/vendor\/(@huggingface\/)?[\w-]+\.js$/, 'what library and program take from others'],
  [/^dist\/commit\.json$/, 'what it was built from, for the records of neox bench'],
  [/^lib\/assets\/(demo\.Q8_0\.gguf|README\.md)$/, 'the demo model and its card'],
  [/^prebuilds\/(linux|darwin|win32)-(x64|arm64)\/node\.napi(\.armv8)?(\.musl)?\.node$/, 'the addon'],
  [/^native\/(?!cuda\/host\/)[\w/-]+\.(cpp|h|cu|cuh)$/, 'neox build'],
  [/^(CMakeLists\.txt|cmake\/[\w-]+\.(cmake|map)|native\/cuda\/CMakeLists\.txt)$/, 'neox build'],
  [/^scripts\/(build|sentencepiece|steps|tools)\.mjs$|^scripts\/download\.py$/, 'neox build'],
];

test('every file has a reason', () => {
  expect(names.filter((name) => !reasons.some(([pattern]) => pattern.test(name)))).toEqual([]);
  for (const [pattern, reason] of reasons) {
    expect({ reason, isThere: names.some((name) => pattern.test(name)) }).toEqual({ reason, isThere: true });
  }
});

test('binding.gyp is not in it: npm ci and @electron/rebuild would start node-gyp', () => {
  expect(existsSync(join(root, 'binding.gyp'))).toBe(true);
  expect(names.filter((name) => name.endsWith('.gyp'))).toEqual([]);
});

test('npm runs no script of it at a user’s, and installs node-gyp-build alone beside it', () => {
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare', 'preprepare', 'postprepare']) {
    expect(manifest.scripts).not.toHaveProperty(script);
  }
  expect(Object.keys(manifest.dependencies)).toEqual(['node-gyp-build']);
});

test('all that package.json names is in it', () => {
  const named = Object.values(manifest.exports).flatMap((entry) =>
    typeof entry === 'string'
      ? [entry]
      : [entry.import, entry.require].flatMap(({ types, default: file }) => [types, file]),
  );
  const paths = [manifest.main, manifest.types, ...Object.values(manifest.bin), ...named];
  expect(paths.map((path) => path.replace(/^\.\//, '')).filter((path) => !names.includes(path))).toEqual([]);
});

test('all that its CMake files and its C++ files include is in it', () => {
  const text = (name: string): string => readFileSync(join(root, name), 'utf8');
  const cmake = names.filter((name) => name.endsWith('.cmake') || name === 'CMakeLists.txt');
  const included = cmake.flatMap((name) =>
    [...text(name).matchAll(/(?:include\(cmake|CMAKE_CURRENT_LIST_DIR\})\/([\w-]+\.(?:cmake|map))/g)].map(
      (match) => `cmake/${match[1]}`,
    ),
  );
  const optional = ['cmake/fuzz.cmake', 'cmake/programs.cmake']; // of NEOX_FUZZ and NEOX_TESTS, which are off here
  const sources = text('cmake/sources.cmake').match(/(?<!test\/)\bnative\/\S+\.cpp/g) ?? [];
  const headers = sources.flatMap((name) =>
    [...text(name).matchAll(/^\s*#\s*include "([^"]+)"/gm)].map((match) => `native/${match[1]}`),
  );
  const wanted = new Set([...included, ...sources, ...headers]);
  expect(wanted.size).toBeGreaterThan(200);
  expect([...wanted].filter((name) => !names.includes(name) && !optional.includes(name))).toEqual([]);
});

test('publint finds nothing', () => {
  const script = join(root, 'node_modules', 'publint', 'src', 'cli.js');
  expect(node([script, 'run', packed.path, '--strict'], { cwd: root })).toContain('All good!');
});
