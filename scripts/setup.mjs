// Sets up what is missing and does nothing when nothing is: tools, npm packages, the native addon, the package in dist/.
// `npm start` and `npm test` call it first. It needs nothing but Node itself.
//
//   node scripts/setup.mjs [--tests]      --tests also builds the C++ test and bench programs

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { cacheDir, isMain, npmCommand, root, runLogged, runMain, StepError, step } from './steps.mjs';
import { ensureTools } from './tools.mjs';

const stampPath = join(cacheDir, 'setup.json');
const minimumNode = [20, 17];
const nativeScripts = ['build.mjs', 'sentencepiece.mjs', 'download.py'].map((name) => `scripts/${name}`);

/**
 * @param addon - false: the package alone, for which no compiler is needed
 * @throws StepError with one sentence a user can act on.
 */
export async function setup({ tests = false, addon = true } = {}) {
  checkNode();
  const done = readStamps();
  const packages = hash([readFileSync(join(root, 'package-lock.json')), process.platform, process.arch]);
  const wanted = {
    packages,
    native: hash([packages, ...files('native', 'cmake', 'CMakeLists.txt', ...nativeScripts)]),
    programs: hash(files('test/native', 'test/bench')),
    ts: hash([packages, ...files('lib', 'package.json', 'tsconfig.json', 'scripts/build.mjs')]),
  };
  const finish = (...names) => {
    for (const name of names) done[name] = wanted[name];
    mkdirSync(cacheDir, { recursive: true });
    writeFileSync(stampPath, `${JSON.stringify(done, null, 2)}\n`);
  };
  const isNew = (name, output) => done[name] !== wanted[name] || !existsSync(join(root, output));

  const addonFile = 'build/Release/neox.node';
  const program = join('build-cmake', 'bin', process.platform === 'win32' ? 'neox_test.exe' : 'neox_test');
  const native = addon && isNew('native', addonFile);
  const programs = tests && (native || done.builtFor !== wanted.native || isNew('programs', program));
  if (native || programs) await ensureTools();
  if (isNew('packages', 'node_modules/.package-lock.json')) {
    await step('installing npm packages', installPackages);
    finish('packages');
  }
  if (native || programs) {
    const { buildNative } = await import('./build.mjs');
    await step(native ? 'building the addon' : 'building the C++ tests', () =>
      buildNative({ tests: programs }),
    );
    if (programs) done.builtFor = wanted.native;
    finish('native', ...(programs ? ['programs'] : []));
  }
  if (isNew('ts', 'dist/cli/main.js')) {
    const { buildTs } = await import('./build.mjs');
    await step('building the package', buildTs);
    finish('ts');
  }
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > minimumNode[0] || (major === minimumNode[0] && minor >= minimumNode[1])) return;
  throw new StepError(
    `Node ${minimumNode.join('.')} or newer is needed (found ${process.versions.node}): install it from nodejs.org.`,
  );
}

function readStamps() {
  try {
    return JSON.parse(readFileSync(stampPath, 'utf8'));
  } catch {
    return {};
  }
}

function hash(parts) {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(part).update('\0');
  return sum.digest('hex');
}

// Name, size and time of every file below the given places: enough to notice a change in a few milliseconds. A change
// that turns out to be none costs an incremental build that does nothing.
function files(...places) {
  const found = [];
  const visit = (path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat) return;
    if (stat.isDirectory()) {
      for (const name of readdirSync(path).sort()) visit(join(path, name));
    } else {
      found.push(`${relative(root, path)} ${stat.size} ${stat.mtimeMs}`);
    }
  };
  for (const place of places) visit(join(root, place));
  return found;
}

// Scripts of packages are not run: what esbuild and swc would do in theirs is only needed on unusual platforms.
function installPackages() {
  const args = ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund'];
  runLogged('npm', ...npmCommand(args));
}

if (isMain(import.meta.url)) await runMain((argv) => setup({ tests: argv.includes('--tests') }));
