// `npm run prebuild`: the binaries that the package carries, in prebuilds/, through prebuildify, which calls
// scripts/node-gyp-shim.cjs, which calls cmake-js. Compiler: zig, which is downloaded into .cache on first use.
//
//   npm run prebuild                                   for this machine's platform
//   npm run prebuild -- --platform linux-arm64         for another (repeat it for several)
//   npm run prebuild -- --all                          for all
//   npm run prebuild -- --list                         prints their names
//   npm run prebuild -- --sizes                        prints the sizes of what is there and of the package with it

import { existsSync, mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { usesZig } from './prebuild/compile.mjs';
import { printSizes } from './prebuild/sizes.mjs';
import { targetByName, targets } from './prebuild/targets.mjs';
import { obtainZig } from './prebuild/zig.mjs';
import { cacheDir, isMain, root, runLogged, runMain, UsageError } from './steps.mjs';

const require = createRequire(import.meta.url);
const shim = join(root, 'scripts', 'node-gyp-shim.cjs');

/** Builds prebuilds/<platform>-<arch>/... of one target. @throws StepError */
export async function prebuild(target) {
  const begin = Date.now();
  process.stderr.write(`neox: prebuilding ${target.name}\n`);
  // A folder of its own, because prebuildify moves the file out of build/Release, which the checkout itself loads from.
  const cwd = join(cacheDir, 'prebuild', target.name);
  mkdirSync(cwd, { recursive: true });
  const args = [
    ...['--napi', '--name', 'node.napi', '--cwd', cwd, '--out', root],
    ...['--platform', target.platform, '--arch', target.arch],
    ...['--libc', target.isMusl ? 'musl' : 'glibc'],
    // prebuildify hands it to a shell on Windows, where a script does not run by itself.
    ...['--node-gyp', process.platform === 'win32' ? `"${process.execPath}" "${shim}"` : shim],
  ];
  if (target.arch === 'arm64') args.push('--tag-armv', '8');
  if (target.isMusl) args.push('--tag-libc', 'musl');
  // Here rather than below prebuildify, whose output goes into a log.
  if (usesZig(target)) await obtainZig();
  const env = { ...process.env, PREBUILD_PLATFORM: target.platform };
  try {
    const program = require.resolve('prebuildify/bin.js');
    runLogged(`prebuildify-${target.name}`, process.execPath, [program, ...args], { env });
  } catch (error) {
    removeEmpty(dirname(join(root, target.file)));
    throw error;
  }
  const megabytes = (statSync(join(root, target.file)).size / 1e6).toFixed(2);
  const seconds = ((Date.now() - begin) / 1000).toFixed(1);
  process.stderr.write(`neox: ${target.file}, ${megabytes} MB, ${seconds} s\n`);
}

// prebuildify makes its folder first, and a package with an empty one would look as if it had a binary.
function removeEmpty(folder) {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
}

/** The target of the machine that runs this, or undefined. */
export function ownTarget() {
  const report = process.report?.getReport();
  const isMusl = process.platform === 'linux' && !report?.header.glibcVersionRuntime;
  return targetByName(`${process.platform}-${process.arch}${isMusl ? '-musl' : ''}`);
}

async function main(argv) {
  const flag = { type: 'boolean', default: false };
  let values;
  try {
    ({ values } = parseArgs({
      args: argv,
      options: { platform: { type: 'string', multiple: true }, all: flag, list: flag, sizes: flag },
    }));
  } catch (error) {
    throw new UsageError(`prebuild.mjs: ${error.message}`);
  }
  if (values.list) return void process.stdout.write(`${targets.map((each) => each.name).join('\n')}\n`);
  if (values.sizes) return printSizes();
  const names = values.all ? targets.map((each) => each.name) : values.platform;
  const wanted = names ? names.map(named) : [ownTarget() ?? named(`${process.platform}-${process.arch}`)];
  for (const target of wanted) await prebuild(target);
}

function named(name) {
  const target = targetByName(name);
  if (target) return target;
  const known = targets.map((each) => each.name).join(', ');
  throw new UsageError(`No binary is built for "${name}"; there are: ${known}.`);
}

if (isMain(import.meta.url)) await runMain(main);
