// Other versions of Node, from npm's packages of its binaries. Only bin/node of each is kept, in .cache/nodes.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { npmScript, root, run } from './project.js';

const folder = join(root, '.cache', 'nodes');

export interface NodeVersion {
  /** `22`, or `newest`. */
  name: string;
  /** Undefined where it is neither kept nor to be had. */
  path: string | undefined;
}

/** This process's own Node stands for its major version. */
export function nodeVersions(): NodeVersion[] {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    return [{ name: process.versions.node.split('.')[0] ?? '', path: process.execPath }];
  }
  const own = process.versions.node.split('.')[0];
  return ['20', '22', '24', 'newest'].map((name) => ({
    name,
    path: name === own ? process.execPath : obtainNode(name),
  }));
}

/** Undefined where it is neither kept nor to be had. */
export function obtainNode(name: string): string | undefined {
  mkdirSync(folder, { recursive: true });
  const known = readdirSync(folder).filter(
    (each) => /^[\d.]+$/.test(each) && existsSync(join(folder, each, 'node')),
  );
  const kept = known.filter((each) => name === 'newest' || each.startsWith(`${name}.`)).sort(byVersion);
  // A major version is taken as it was first found; what is newest changes.
  if (name !== 'newest' && kept.length > 0) return join(folder, kept.at(-1) ?? '', 'node');
  const spec = `node-linux-${process.arch}@${name === 'newest' ? 'latest' : name}`;
  const npm = (...args: string[]) => run(process.execPath, [npmScript(), ...args], { cwd: folder });
  const version = latestOf(npm('view', spec, 'version', '--json').stdout);
  if (version === undefined) return kept.length > 0 ? join(folder, kept.at(-1) ?? '', 'node') : undefined;
  const path = join(folder, version, 'node');
  if (existsSync(path)) return path;
  const part = join(folder, `${version}.${process.pid}.part`);
  mkdirSync(part);
  try {
    npm('pack', `node-linux-${process.arch}@${version}`, '--pack-destination', part);
    const [tarball] = readdirSync(part);
    if (tarball === undefined) return undefined;
    const done = run('tar', ['-xzf', tarball, '--strip-components', '2', 'package/bin/node'], { cwd: part });
    if (done.status !== 0) return undefined;
    rmSync(join(part, tarball));
    renameSync(part, join(folder, version));
    return path;
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
}

/** npm prints one version, or a list that rises. */
function latestOf(json: string): string | undefined {
  try {
    const versions = [JSON.parse(json) as string | string[]].flat();
    return versions.sort(byVersion).at(-1);
  } catch {
    return undefined;
  }
}

function byVersion(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  for (const index of [0, 1, 2]) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
