// Node itself, of other versions and platforms, from npm's packages of its binaries. Only the program of each is kept, in
// .cache/nodes/<platform>-<arch>/<version>.
//
//   node scripts/nodes.mjs 22                    prints the path of a Node 22 for this machine's platform
//   node scripts/nodes.mjs newest linux-arm64    of the newest one, for another

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, isMain, npmCommand, runMain, StepError, UsageError } from './steps.mjs';

/** What is kept of Nodes and for them. */
export const nodesDir = join(cacheDir, 'nodes');

/**
 * The path of a Node for a platform that Node is released for.
 * @param wanted - a major version, taken as it was first found, or `newest`, which is asked for anew each time
 * @throws StepError where it is neither kept nor to be had
 */
export function obtainNode(wanted, { platform, arch } = process) {
  const folder = join(nodesDir, `${platform}-${arch}`);
  const program = platform === 'win32' ? 'node.exe' : 'node';
  const pathOf = (version) => join(folder, version, program);
  const kept = (existsSync(folder) ? readdirSync(folder) : [])
    .filter((version) => /^\d+\.\d+\.\d+$/.test(version)) // and no folder that is being unpacked into
    .filter((version) => existsSync(pathOf(version)))
    .filter((version) => wanted === 'newest' || version.startsWith(`${wanted}.`))
    .sort(byVersion)
    .at(-1);
  if (kept && wanted !== 'newest') return pathOf(kept);
  const name = `node-${platform === 'win32' ? 'win' : platform}-${arch}`;
  const found = npm(['view', `${name}@${wanted === 'newest' ? 'latest' : wanted}`, 'version', '--json']);
  const version = found.status === 0 ? newestOf(found.stdout) : undefined;
  if (version === undefined) {
    if (kept) return pathOf(kept);
    throw new StepError(`npm does not give ${name}@${wanted}: ${reasonOf(found)}`);
  }
  if (!existsSync(pathOf(version))) fetchNode(`${name}@${version}`, program, join(folder, version));
  return pathOf(version);
}

function fetchNode(spec, program, folder) {
  const part = `${folder}.${process.pid}.part`;
  mkdirSync(part, { recursive: true });
  try {
    const done = npm(['pack', spec, '--pack-destination', part]);
    const [tarball] = readdirSync(part);
    if (done.status !== 0 || !tarball) throw new StepError(`npm does not give ${spec}: ${reasonOf(done)}`);
    const args = ['-xzf', tarball, '--strip-components', '2', `package/bin/${program}`];
    const unpacked = spawnSync('tar', args, { cwd: part, encoding: 'utf8' });
    if (unpacked.status !== 0) throw new StepError(`${spec} cannot be unpacked: ${reasonOf(unpacked)}`);
    rmSync(join(part, tarball));
    try {
      renameSync(part, folder);
    } catch (error) {
      if (!existsSync(join(folder, program))) throw error; // else another process was faster
    }
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
}

function npm(args) {
  mkdirSync(nodesDir, { recursive: true });
  const [command, all, options] = npmCommand(args);
  return spawnSync(command, all, { ...options, cwd: nodesDir, encoding: 'utf8' });
}

// npm prints one version, a list of them, or nothing.
function newestOf(json) {
  return json.trim() === '' ? undefined : [JSON.parse(json)].flat().sort(byVersion).at(-1);
}

function byVersion(a, b) {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}

// npm's codes say less than what follows them.
function reasonOf({ error, stderr }) {
  const lines = stderr
    ?.split('\n')
    .filter((line) => !/^npm (?:warn|error (?:code|errno|syscall))\b|^$/.test(line));
  return error?.message ?? lines?.[0] ?? 'it lists none';
}

function main([wanted, target = `${process.platform}-${process.arch}`]) {
  if (!/^(?:newest|\d+)$/.test(wanted ?? ''))
    throw new UsageError('nodes.mjs: a major version or `newest` was expected.');
  const [platform, arch] = target.split('-');
  process.stdout.write(`${obtainNode(wanted, { platform, arch })}\n`);
}

if (isMain(import.meta.url)) await runMain(main);
