// The Nodes of other platforms that this machine can run: npm and PyPI have Node itself as packages, qemu has the processor,
// wine has Windows. Each comes from its registry's ordinary client into .cache/nodes.

import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { nodesDir, obtainNode } from '../nodes.mjs';
import { firstLine } from '../steps.mjs';
import { aptInstall, canInstall } from '../tools.mjs';
import { muslNode, muslSystem, nodeVersion } from './musl.mjs';

const armLibraries = '/usr/aarch64-linux-gnu';

// ARM processors that have i8mm, only dot products, and neither.
const armProcessors = ['max', 'neoverse-n1', 'cortex-a53'];

/**
 * The ways to run a target's binary on this x86-64 Linux: `label`, and `command` with `args` before the script's own.
 * A string instead says why there is none.
 */
export function hostsOf(target) {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return 'other platforms are run on x86-64 Linux only';
  const find = {
    'linux-arm64': armHosts,
    'linux-x64-musl': muslHosts,
    'linux-arm64-musl': armMuslHosts,
    'win32-x64': windowsHosts,
  }[target.name];
  return find ? find(target) : `nothing here runs ${target.name}`;
}

function armHosts(target) {
  const reason = lacking(
    { 'qemu-aarch64': 'qemu-user' },
    { [armLibraries]: 'libc6-arm64-cross libstdc++6-arm64-cross' },
  );
  if (reason) return reason;
  const run = (major, cpu) => ({
    label: `Node ${major} under qemu-aarch64 -cpu ${cpu}`,
    command: 'qemu-aarch64',
    args: ['-cpu', cpu, '-L', armLibraries, obtainNode(major, target)],
  });
  return [...armProcessors.map((cpu) => run(22, cpu)), run(20, 'max')];
}

function muslHosts(target) {
  const system = muslSystem(target, nodesDir);
  if (!system) return 'musl could not be had from Debian';
  const node = muslNode(target, nodesDir);
  const loader = join(system, 'lib', `ld-musl-${target.processor}.so.1`);
  const env = { LIBC: 'musl' }; // node-gyp-build looks for Alpine's file
  return [{ label: `Node ${nodeVersion} for musl`, command: loader, args: [node], env }];
}

function armMuslHosts(target) {
  const reason = lacking({ 'qemu-aarch64': 'qemu-user' }, {});
  if (reason) return reason;
  const system = muslSystem(target, nodesDir);
  if (!system) return 'musl could not be had from Debian';
  const node = muslNode(target, nodesDir);
  return ['max', 'cortex-a53'].map((cpu) => ({
    label: `Node ${nodeVersion} for musl under qemu-aarch64 -cpu ${cpu}`,
    command: 'qemu-aarch64',
    args: ['-cpu', cpu, '-L', system, node],
    env: { LIBC: 'musl' },
  }));
}

function windowsHosts(target) {
  const wine = ['wine64', '/usr/lib/wine/wine64'].find((name) => firstLine(name));
  if (!wine) return 'wine64 is not installed (on Debian: apt-get install wine64)';
  const env = { WINEPREFIX: join(nodesDir, 'wine'), WINEDEBUG: '-all', NODE_SKIP_PLATFORM_CHECK: '1' };
  return [{ label: 'Node 20 under wine', command: wine, args: [obtainNode(20, target)], env }];
}

// Programs and files with the Debian packages that bring them; they are installed in CI alone.
function lacking(programs, files) {
  const find = () => [
    ...Object.keys(programs)
      .filter((name) => !firstLine(name))
      .map((name) => programs[name]),
    ...Object.keys(files)
      .filter((path) => !existsSync(path))
      .map((path) => files[path]),
  ];
  const packages = find().flatMap((names) => names.split(' '));
  if (packages.length > 0 && process.env.CI === 'true' && canInstall()) aptInstall(packages);
  const missing = find();
  return missing.length > 0 ? `${missing.join(' ')} not installed (on Debian: apt-get install)` : null;
}

/** Runs a script in a host; the last line of its output as JSON. @throws Error with what it said */
export function runIn(host, script, timeoutMs = 180_000) {
  const env = { ...process.env, ...host.env };
  // Through files: Node under wine takes no pipe for its output.
  const out = join(nodesDir, `${process.pid}.out`);
  mkdirSync(nodesDir, { recursive: true });
  const file = openSync(out, 'w');
  const stdio = ['ignore', file, file];
  const done = spawnSync(host.command, [...host.args, script], { stdio, env, timeout: timeoutMs });
  closeSync(file);
  const said = readFileSync(out, 'utf8').trim();
  rmSync(out, { force: true });
  const line = said.split('\n').find((each) => each.startsWith('{"platform"'));
  if (done.status === 0 && line) return JSON.parse(line);
  const cause = done.error?.message ?? done.signal ?? `exit code ${done.status}`;
  throw new Error(`${cause}: ${said.slice(-2000)}`);
}
