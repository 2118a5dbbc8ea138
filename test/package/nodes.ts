// Other versions of Node, which scripts/nodes.mjs obtains.

import { join } from 'node:path';
import { root, run } from './project.js';

export interface NodeVersion {
  /** `22`, or `newest`. */
  name: string;
  /** Undefined where it is neither kept nor to be had. */
  path: string | undefined;
}

/** This process's own Node stands for its major version. */
export function nodeVersions(): NodeVersion[] {
  const own = process.versions.node.split('.')[0] ?? '';
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    return [{ name: own, path: process.execPath }];
  }
  return ['20', '22', '24', 'newest'].map((name) => ({
    name,
    path: name === own ? process.execPath : obtainNode(name),
  }));
}

/** Undefined where it is neither kept nor to be had. */
export function obtainNode(name: string): string | undefined {
  const script = join(root, 'scripts', 'nodes.mjs');
  const { status, stdout } = run(process.execPath, [script, name], { cwd: root });
  return status === 0 ? stdout.trim() : undefined;
}
