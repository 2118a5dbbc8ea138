// The one way to build: the native addon with CMake through cmake-js, and the TypeScript package with tsc and esbuild.
//
//   node scripts/build.mjs [--native] [--ts] [--tests] [--out <folder>]
//
// Without --native or --ts both are built. --tests adds the C++ test and bench programs. --out names the folder that
// gets neox.node, build/Release by default; binding.gyp asks for another.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { obtainSentencepiece } from './sentencepiece.mjs';
import { isMain, root, runLogged, runMain, StepError, step } from './steps.mjs';

const require = createRequire(import.meta.url);

/** CMake's folder. Not build/, which node-gyp owns. */
export const cmakeDir = join(root, 'build-cmake');
export const addonPath = join(root, 'build', 'Release', 'neox.node');
const dist = join(root, 'dist');
export const cliPath = join(dist, 'cli', 'main.js');
export const nativeTestPath = join(
  cmakeDir,
  'bin',
  process.platform === 'win32' ? 'neox_test.exe' : 'neox_test',
);

/** What is built. */
export const SOURCES = ['native', 'lib', 'cmake', 'CMakeLists.txt'];

/** Packages that are copied into dist/vendor, so that users install none of them. Their licences are in NOTICE. */
const bundled = ['commander', 'cli-progress', 'picomatch', '@huggingface/tokenizers'];

/** Modules of dist/ that pages load as they are: in place of an ESM face each has one file without imports. */
const forPages = ['electron/client'];

/**
 * Builds the addon, and with `tests` also the C++ test and bench programs; copies the addon into `out`. For another
 * platform than this one, `arch` is its processor in Node's words.
 * @param definitions - further ones for CMake, which then needs a folder of its own
 */
export function buildNative({
  tests = false,
  out = dirname(addonPath),
  folder = cmakeDir,
  definitions: further = {},
  arch = process.arch,
  log = 'native',
} = {}) {
  const options = { NEOX_SP_SOURCE: obtainSentencepiece(), ...further };
  const definitions = Object.entries(options).map(([name, value]) => `--CD${name}=${value}`);
  const cmakeJs = (...args) =>
    runLogged(log, process.execPath, [require.resolve('cmake-js/bin/cmake-js'), ...args], { append: true });
  const jobs = String(availableParallelism());
  const common = ['--out', folder, '--arch', arch, '--parallel', jobs, ...definitions];

  // cmake-js does not hand changed definitions to an existing cache, and CMake refuses a folder that was moved.
  const stamp = join(folder, 'neox-options.json');
  const wanted = JSON.stringify({ root, options });
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    rmSync(folder, { recursive: true, force: true });
    cmakeJs('configure', ...common);
    writeFileSync(stamp, wanted);
  }
  cmakeJs('build', ...common, '--target', 'neox');
  if (tests) cmakeJs('build', ...common, '--target', 'neox_programs');

  // A running process may have the old file mapped: it is replaced, never written into.
  mkdirSync(out, { recursive: true });
  const part = join(out, `neox.${process.pid}.part`);
  copyFileSync(join(folder, 'Release', 'neox.node'), part);
  renameSync(part, join(out, 'neox.node'));
  if (existsSync(dist)) writeCommit();
}

/** Compiles lib/ to dist/: CommonJS with declarations, and an ESM face that re-exports it, so that classes exist once. */
export function buildTs() {
  rmSync(dist, { recursive: true, force: true });
  runLogged('ts', process.execPath, [require.resolve('typescript/bin/tsc'), '-p', root]);
  for (const path of esmFaces()) {
    const name = basename(path).replace(/(\.d\.mts|\.mjs)$/, '');
    writeFileSync(join(root, path), `export * from './${name}.js';\n`);
  }
  for (const name of forPages) bundleForPages(name);
  writeCommit();
  bundleVendor();
  bundleLibrary();
  chmodSync(cliPath, 0o755);
}

// Every .mjs and .d.mts that package.json's exports name.
function esmFaces() {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return Object.values(exports).flatMap((subpath) => Object.values(subpath.import ?? {}));
}

// Fails where something of Node has crept in.
function bundleForPages(name) {
  require('esbuild').buildSync({
    entryPoints: [join(root, 'lib', `${name}.ts`)],
    outfile: join(dist, `${name}.mjs`),
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'error',
  });
}

// For the records of `neox bench`. What a package came with stays where no checkout says otherwise.
function writeCommit() {
  const path = join(dist, 'commit.json');
  const from = builtFrom();
  if (from.commit === undefined && existsSync(path)) return;
  writeFileSync(path, `${JSON.stringify(from)}\n`);
}

export function builtFrom(top = root) {
  const git = (...args) => {
    const { status, stdout } = spawnSync('git', args, { cwd: top, encoding: 'utf8' });
    return status === 0 ? stdout.trim() : null;
  };
  // Elsewhere than at the top, the repository is that of somebody who uses this package.
  const commit = git('rev-parse', '--show-prefix') === '' ? git('rev-parse', '--short=9', 'HEAD') : null;
  if (commit === null) return {};
  const untracked = git('ls-files', '--others', '--exclude-standard', '--', ...SOURCES);
  const hasChanges = git('status', '--porcelain', '--untracked-files=no') !== '' || untracked !== '';
  return { commit, commitNumber: Number(git('rev-list', '--count', 'HEAD')), hasChanges };
}

// The commands load lazily, one file each, so they are not bundled: only what they take from node_modules is.
function bundleVendor() {
  for (const name of bundled) {
    require('esbuild').buildSync({
      entryPoints: [require.resolve(name)],
      outfile: join(dist, 'vendor', `${name}.js`),
      bundle: true,
      format: 'cjs',
      platform: 'node',
      target: 'node20',
      logLevel: 'error',
    });
  }
  for (const entry of readdirSync(dist, { recursive: true })) {
    const path = join(dist, entry);
    const folder = entry.split(/[\\/]/)[0];
    // The command line is no library: its declarations would only point at packages that users do not have.
    if (folder === 'cli' && path.endsWith('.d.ts')) rmSync(path);
    if (folder === 'vendor' || !path.endsWith('.js')) continue;
    const vendor = `./${relative(dirname(path), join(dist, 'vendor')).replaceAll('\\', '/')}`;
    const code = readFileSync(path, 'utf8');
    const rewritten = code.replace(/\b(require|import)\((["'])([\w@/-]+)\2\)/g, (call, word, _quote, name) =>
      bundled.includes(name) ? `${word}("${vendor}/${name}.js")` : call,
    );
    if (rewritten !== code) writeFileSync(path, rewritten);
  }
}

// One file instead of eighty loads in half the time. index.js names what is in it: before a CommonJS file is imported, Node
// reads through it for its names, and dist/library.js is long. What holds state for the whole process stays a file of its own,
// which scripts of ours may load beside it.
function bundleLibrary() {
  const whole = ['native.js', 'addon.js', 'errors.js'];
  const index = join(dist, 'index.js');
  const library = join(dist, 'library.js');
  require('esbuild').buildSync({
    entryPoints: [index],
    outfile: library,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    external: [...whole.map((name) => `./${name}`), './vendor/*', 'node-gyp-build'],
    logLevel: 'error',
  });
  const names = Object.keys(require(index)).map((name) => `exports.${name} = library.${name};\n`);
  const head = '"use strict";\nObject.defineProperty(exports, "__esModule", { value: true });\n';
  writeFileSync(index, `${head}const library = require("./library.js");\n${names.join('')}`);
  const kept = ['index.js', 'library.js', ...whole];
  for (const name of readdirSync(dist)) {
    if (name.endsWith('.js') && !kept.includes(name)) rmSync(join(dist, name));
  }
}

async function main(argv) {
  const flag = { type: 'boolean', default: false };
  let values;
  try {
    ({ values } = parseArgs({
      args: argv,
      options: { native: flag, ts: flag, tests: flag, out: { type: 'string' } },
    }));
  } catch (error) {
    throw new StepError(`build.mjs: ${error.message}`);
  }
  const both = !values.native && !values.ts && values.out === undefined;
  const out = values.out === undefined ? undefined : resolve(values.out);
  if (both || values.native || out) {
    await step('building the addon', () => buildNative({ tests: values.tests, out }));
  }
  if (both || values.ts) await step('building the package', () => buildTs());
}

if (isMain(import.meta.url)) await runMain(main);
