// The package as a user has it: packed, and installed by npm into an empty project, with no compiler to be found.

import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

export const root = join(__dirname, '..', '..');
export const onPosix = process.platform === 'win32' ? test.skip : test;

export interface Packed {
  /** The tarball. */
  path: string;
  files: { path: string; size: number }[];
  packedBytes: number;
  unpackedBytes: number;
}

export interface Project {
  folder: string;
  packed: Packed;
  /** gpt-neox in node_modules. */
  installed: string;
  /** Why it could not be installed here, where nothing of ours is to blame. */
  skipped?: string;
  remove(): void;
}

/** Runs a program and waits; the outer npm's settings and ours stay outside. */
export function run(
  command: string,
  args: readonly string[],
  { cwd, env = {}, timeout = 300_000 }: { cwd: string; env?: NodeJS.ProcessEnv; timeout?: number },
): SpawnSyncReturns<string> {
  const ours =
    /^(npm_(?!config_(registry|cache|cafile|userconfig|proxy|https_proxy|noproxy)$)|NEOX_|INIT_CWD|NODE_OPTIONS)/i;
  const inherited = Object.entries(process.env).filter(([name]) => !ours.test(name));
  return spawnSync(command, args, {
    cwd,
    env: { ...Object.fromEntries(inherited), ...env },
    encoding: 'utf8',
    timeout,
    maxBuffer: 1 << 26,
  });
}

/** Runs a script of Node's or of a package. @throws when it fails */
export function node(args: readonly string[], options: { cwd: string; env?: NodeJS.ProcessEnv }): string {
  const done = run(process.execPath, args, options);
  if (done.status === 0) return done.stdout;
  throw new Error(`node ${args.join(' ')}: exit ${done.status ?? done.signal}\n${done.stdout}${done.stderr}`);
}

/** npm's program, which is a script. */
export function npmScript(): string {
  const given = process.env.npm_execpath ?? '';
  if (/npm-cli\.c?js$/.test(given)) return given;
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (process.platform !== 'win32' && existsSync(join(folder, 'npm')))
      return realpathSync(join(folder, 'npm'));
    const script = join(folder, 'node_modules', 'npm', 'bin', 'npm-cli.js');
    if (existsSync(script)) return script;
  }
  throw new Error('npm is not on the PATH.');
}

/** A PATH with Node, npm and a shell, and nothing that could compile. */
export function barePath(folder: string): string {
  if (process.platform === 'win32') return process.env.PATH ?? '';
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  const npm = npmScript();
  symlinkSync(process.execPath, join(bin, 'node'));
  symlinkSync(npm, join(bin, 'npm'));
  symlinkSync(npm.replace(/npm-cli/, 'npx-cli'), join(bin, 'npx'));
  symlinkSync('/bin/sh', join(bin, 'sh'));
  return bin;
}

/**
 * Packs the tree as it is. Without a prebuilt binary of this platform, or with one that is older than its sources, the addon
 * that was built here stands for it, in a copy of what is packed.
 */
export function pack(folder: string): Packed {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] };
  const stage = join(folder, 'stage');
  const always = ['package.json', 'README.md', 'LICENSE', 'binding.gyp'];
  for (const pattern of [...always, ...manifest.files]) {
    const top = pattern.replace(/^!/, '').split('/')[0] ?? '';
    if (existsSync(join(root, top)) && !existsSync(join(stage, top)))
      cpSync(join(root, top), join(stage, top), { recursive: true, preserveTimestamps: true });
  }
  const name = process.arch === 'arm64' ? 'node.napi.armv8.node' : 'node.napi.node';
  const own = join(stage, 'prebuilds', `${process.platform}-${process.arch}`, name);
  const sources = Math.max(newestIn(join(root, 'native')), newestIn(join(root, 'cmake')));
  if ((statSync(own, { throwIfNoEntry: false })?.mtimeMs ?? 0) < sources) {
    mkdirSync(dirname(own), { recursive: true });
    cpSync(join(root, 'build', 'Release', 'neox.node'), own);
  }
  const options = ['--ignore-scripts', '--json', '--pack-destination', folder];
  const [report] = JSON.parse(node([npmScript(), 'pack', ...options], { cwd: stage })) as [
    { filename: string; size: number; unpackedSize: number; files: Packed['files'] },
  ];
  rmSync(stage, { recursive: true });
  const { filename, size, unpackedSize, files } = report;
  return { path: join(folder, filename), files, packedBytes: size, unpackedBytes: unpackedSize };
}

function newestIn(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return Math.max(
    ...files.map((entry) => statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs),
  );
}

/** Everything below a folder, in bytes. */
export function sizeOf(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.reduce(
    (sum, entry) => sum + statSync(join(entry.parentPath ?? entry.path, entry.name)).size,
    0,
  );
}

/** Packs, and installs the tarball. npm needs its registry for node-gyp-build, or a cache that has it. */
export function installPackage(): Project {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'neox-package-')));
  const remove = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  const packed = pack(folder);
  const cwd = join(folder, 'project');
  mkdirSync(cwd);
  writeFileSync(join(cwd, 'package.json'), '{ "name": "project", "version": "1.0.0", "private": true }\n');
  const env = { PATH: barePath(folder) };
  const done = run(process.execPath, [npmScript(), 'install', '--foreground-scripts', packed.path], {
    cwd,
    env,
  });
  const project = { folder: cwd, packed, installed: join(cwd, 'node_modules', 'gpt-neox'), remove };
  if (done.status === 0) return project;
  const isOffline = /EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED/.test(
    done.stderr,
  );
  if (isOffline && process.env.CI !== 'true') {
    const skipped = 'the registry of npm cannot be reached, and node-gyp-build is not in its cache';
    // Not by console.warn: what a file says in which every test is skipped, Jest keeps to itself.
    process.stderr.write(`Skipped the installed package: ${skipped}.\n`);
    return { ...project, skipped };
  }
  remove();
  throw new Error(`npm install: exit ${done.status ?? done.signal}\n${done.stdout}${done.stderr}`);
}

export function say(text: string): void {
  process.stderr.write(`neox: ${text}\n`);
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
