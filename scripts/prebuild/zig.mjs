// Obtains zig, a clang that brings every system's headers and libraries with it, from its distribution for Python.
// Only who builds the package's binaries needs it.

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, findPython, runLogged, StepError, step } from '../steps.mjs';

export const zigVersion = '0.17.1';

// The wheels of that version for Linux and macOS; pip takes the one of this machine.
const sums = [
  'ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54', // manylinux x86_64
  'b7c5f02fccd40f89b999ee16a1f5ddced56e6182370f8affe494bcf8a28cf07e', // manylinux aarch64
  '09953b6af7f64168b915180a42774f520f92d86ef6331b28e33915c7e1f0bb23', // macosx arm64
  '4e0b4b9c02b8d0d220e9948010f860b62ff11d96abb39762eca5fa2ef3f7bc97', // macosx x86_64
];

const folder = join(cacheDir, `zig-${zigVersion}`);
const executable = join(folder, 'ziglang', 'zig');

export function hasZig() {
  return existsSync(executable);
}

/**
 * Paths of the zig executable and of a folder with the programs `ar`, `ranlib` and `rc`.
 * @throws StepError when it cannot be had
 */
export async function obtainZig() {
  if (process.platform === 'win32') {
    // Its tools below are shell scripts, and cmake-js asks for Microsoft's generator.
    throw new StepError(
      'Binaries for other platforms are built on Linux or macOS; Windows builds win32-x64 alone.',
    );
  }
  if (!hasZig()) {
    await step(`downloading zig ${zigVersion} (about 100 MB, for the package's binaries only)`, download);
  }
  return { zig: executable, tools: writeTools() };
}

function download() {
  const python = findPython();
  if (!python) throw new StepError('Python 3 with pip is needed to obtain zig.');
  const part = `${folder}.${process.pid}.part`;
  mkdirSync(part, { recursive: true });
  try {
    const wanted = join(part, 'requirements.txt');
    const hashes = sums.map((sum) => `--hash=sha256:${sum}`).join(' ');
    writeFileSync(wanted, `ziglang==${zigVersion} ${hashes}\n`);
    runLogged('zig', python, [
      ...['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--no-deps', '--no-compile'],
      ...['--only-binary=:all:', '--require-hashes', '--target', part, '-r', wanted],
    ]);
    // The folder gets its final name last, so that its existence means that it is whole.
    renameSync(part, folder);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  const works = spawnSync(executable, ['version'], { encoding: 'utf8' });
  if (works.stdout?.trim() !== zigVersion) throw new StepError(`${executable} does not run: ${works.stderr}`);
}

function writeTools() {
  const tools = join(folder, 'tools');
  mkdirSync(tools, { recursive: true });
  for (const name of ['ar', 'ranlib', 'rc']) {
    const path = join(tools, name);
    // Relative: a checkout may be moved, with its cache.
    const script = `#!/bin/sh\nexec "$(dirname "$0")/../ziglang/zig" ${name} "$@"\n`;
    if (existsSync(path) && readFileSync(path, 'utf8') === script) continue;
    rmSync(path, { force: true });
    writeFileSync(path, script);
    chmodSync(path, 0o755);
  }
  return tools;
}
