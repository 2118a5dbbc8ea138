// Packs the device library as the optional package of this machine's platform: packages/cuda with the file, the version and the
// platform filled in. Nothing is built here. Which glibc the library needs follows from the machine that built it; the package's
// README says it.
//
//   npm run pack:cuda -- [--library <file>] [--destination <folder>]

import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { newestGlibc, readBinary } from './prebuild/problems.mjs';
import { cacheDir, isMain, root, runMain, StepError } from './steps.mjs';

const template = join(root, 'packages', 'cuda');
const built = process.platform === 'win32' ? 'neox_cuda.dll' : 'libneox_cuda.so';

/** @returns the path of the .tgz @throws StepError */
export function packCuda({ library = join(root, 'build', 'Release', built), destination = root } = {}) {
  if (!existsSync(library))
    throw new StepError(`${library} does not exist: \`npx gpt-neox build --cuda\` builds it.`);
  const { version, engines, repository } = readJson(join(root, 'package.json'));
  const { private: _, ...manifest } = readJson(join(template, 'package.json'));
  const name = `${manifest.name}-${process.platform}-${process.arch}`;
  const own = { ...manifest, name, version, os: [process.platform], cpu: [process.arch] };
  if (process.platform === 'linux') own.libc = ['glibc'];
  const folder = join(cacheDir, 'pack-cuda', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'package.json'),
    `${JSON.stringify({ ...own, engines, repository }, null, 2)}\n`,
  );
  cpSync(library, join(folder, 'neox_cuda.node'));
  cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  cpSync(join(template, 'NOTICE'), join(folder, 'NOTICE'));
  const readme = readFileSync(join(template, 'README.md'), 'utf8');
  writeFileSync(join(folder, 'README.md'), `${readme}${glibcNote(library)}`);
  // On Windows npm is a script for the shell, which takes a path apart at its spaces: no path is handed over.
  const shell = process.platform === 'win32';
  const args = ['pack', '--json', '--ignore-scripts'];
  const packed = spawnSync('npm', args, { cwd: folder, encoding: 'utf8', shell });
  if (packed.status !== 0) throw new StepError(`npm pack failed: ${packed.stderr || packed.error?.message}`);
  const { filename } = JSON.parse(packed.stdout)[0];
  const to = join(resolve(destination), filename);
  copyFileSync(join(folder, filename), to);
  return to;
}

function glibcNote(library) {
  if (process.platform !== 'linux') return '';
  try {
    return `\nThe library in this package needs glibc ${newestGlibc(readBinary(readFileSync(library)))} or later.\n`;
  } catch (error) {
    throw new StepError(`${library} is no library: ${error.message}`);
  }
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

if (isMain(import.meta.url)) {
  await runMain((args) => {
    const { values } = parseArgs({
      args,
      options: { library: { type: 'string' }, destination: { type: 'string' } },
    });
    process.stdout.write(`${packCuda(values)}\n`);
  });
}
