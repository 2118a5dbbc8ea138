// The steps of `neox build`. scripts/build.mjs compiles here as it does in a checkout, in a copy of the package's sources with
// npm packages of its own: neither the user's project nor what else is installed there has a part in it.

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { copyFile, cp, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Progress } from '../index.js';
import { CliError, EXIT } from './exit-codes.js';

export const packageFolder = join(__dirname, '..', '..');
/** Not build/Release, which is the addon's. */
export const sourceFolder = join(packageFolder, 'build', 'source');
export const prebuildsFolder = join(packageFolder, 'prebuilds');
export const addonFile = join(packageFolder, 'build', 'Release', 'neox.node');

const SOURCES = ['native', 'cmake', 'CMakeLists.txt', 'LICENSE'];
const SCRIPTS = ['build.mjs', 'sentencepiece.mjs', 'steps.mjs', 'download.py'];
const TOOLS = ['cmake-js', 'node-addon-api', 'node-api-headers'];
const TRIAL_PROMPT = '富士山の高さは?';

interface Manifest {
  version: string;
  binary: object;
  devDependencies: Record<string, string>;
}

function manifest(): Manifest {
  return JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as Manifest;
}

/** The package's version, and the exact packages that a build fetches. */
export function toolVersions(): { version: string; tools: string[] } {
  const { version, devDependencies } = manifest();
  return { version, tools: TOOLS.map((name) => `${name}@${devDependencies[name]}`) };
}

/** What a build needs: one sentence for each tool that is missing, with the command that installs it. */
export interface Tools {
  missing: string[];
  nvcc?: string;
}

export async function missingTools(what: 'addon' | 'cuda'): Promise<Tools> {
  const file = join(packageFolder, 'scripts', 'tools.mjs');
  const scripts = (await import(pathToFileURL(file).href)) as {
    missingForSource(): string[];
    toolsForCuda(): Tools;
  };
  return what === 'cuda' ? scripts.toolsForCuda() : { missing: scripts.missingForSource() };
}

export async function copySource(): Promise<void> {
  await mkdir(join(sourceFolder, 'scripts'), { recursive: true });
  // Times stay, so that what did not change is not compiled again.
  const options = { recursive: true, preserveTimestamps: true };
  for (const name of [...SOURCES, ...SCRIPTS.map((script) => join('scripts', script))]) {
    await cp(join(packageFolder, name), join(sourceFolder, name), options);
  }
  const { version, binary } = manifest();
  const own = { name: 'gpt-neox-build', version, private: true, binary };
  await writeFile(join(sourceFolder, 'package.json'), `${JSON.stringify(own, null, 2)}\n`);
}

export async function removeSource(): Promise<void> {
  await rm(sourceFolder, { recursive: true, force: true, maxRetries: 3 });
}

/** @throws CliError where npm does not get them */
export async function fetchTools(tools: readonly string[], signal: AbortSignal): Promise<void> {
  const args = ['install', '--prefix', '.', '--no-save', '--no-package-lock', '--ignore-scripts'];
  args.push('--global=false', '--workspaces=false', '--no-audit', '--no-fund', '--loglevel=error', ...tools);
  const npm = process.env.npm_execpath ?? '';
  const isScript = /npm-cli\.c?js$/.test(npm);
  const options = { cwd: sourceFolder, shell: !isScript && process.platform === 'win32' };
  const { code, output } = isScript
    ? await run(process.execPath, [npm, ...args], signal, options)
    : await run('npm', args, signal, options);
  if (code === 0) return;
  throw new CliError(
    EXIT.network,
    `npm could not fetch ${tools.join(', ')}: ${output.trim() || `exit code ${code}`}`,
  );
}

export interface Compiled {
  file: string;
  /** What the build said, where it failed. */
  failure?: string;
}

export async function compile(
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Compiled> {
  const log = join(sourceFolder, '.cache', 'log', 'native.log');
  const begin = existsSync(log) ? readFileSync(log).length : 0;
  const timer = setInterval(() => void readProgress(log, begin, onProgress), 500);
  try {
    const script = join(sourceFolder, 'scripts', 'build.mjs');
    const { code, output } = await run(process.execPath, [script, '--native'], signal, { cwd: sourceFolder });
    const file = join(sourceFolder, 'build', 'Release', 'neox.node');
    return code === 0 ? { file } : { file, failure: output.trim() };
  } finally {
    clearInterval(timer);
  }
}

// Ninja says [12/140], make [ 12%].
export async function readProgress(
  log: string,
  begin: number,
  report: (progress: Progress) => void,
): Promise<void> {
  const file = await open(log).catch(() => undefined); // not begun yet
  if (file === undefined) return;
  try {
    const { size } = await file.stat();
    const from = Math.max(begin, size - 65536);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(65536), 0, 65536, from);
    const [, done, total] =
      [...buffer.toString('latin1', 0, bytesRead).matchAll(/\[ *(\d+)(?:\/(\d+)\]|%\])/g)].at(-1) ?? [];
    if (done !== undefined) report({ done: Number(done), total: Number(total ?? 100) });
  } finally {
    await file.close();
  }
}

/**
 * Puts a binary where the package loads it first, once it has answered a prompt where it was built; until then, and where
 * it does not answer, what was in use before stays.
 * @param built - build/Release/neox.node of some folder
 * @returns what it answered
 * @throws CliError
 */
export async function place(built: string, signal: AbortSignal): Promise<string> {
  // node-gyp-build looks there in place of the package's folder.
  const env: NodeJS.ProcessEnv = { ...process.env, GPT_NEOX_PREBUILD: join(dirname(built), '..', '..') };
  delete env.PREBUILDS_ONLY;
  const cli = join(packageFolder, 'dist', 'cli', 'main.js');
  const { code, output } = await run(process.execPath, [cli, 'run', '-q', '-n', '32', TRIAL_PROMPT], signal, {
    env,
  });
  if (code !== 0)
    throw new CliError(EXIT.machine, `What was built does not run here, and is not used: ${output.trim()}`);
  await replaceFile(built, addonFile);
  return `it answers ${TRIAL_PROMPT} with ${output.trim()}`;
}

// A running process may have the old file mapped: it is replaced, never written into.
export async function replaceFile(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  const part = `${to}.${process.pid}.part`;
  await copyFile(from, part);
  await rename(part, to);
}

interface Ended {
  code: number | null;
  output: string;
}

/**
 * Runs a program with all that it starts in a group of its own, which an abort ends as a whole.
 * @param log - a file that gets what it says, too
 */
export function run(
  command: string,
  args: readonly string[],
  signal: AbortSignal,
  options: SpawnOptions,
  log?: string,
): Promise<Ended> {
  signal.throwIfAborted();
  const detached = process.platform !== 'win32';
  const child = spawn(command, args, { ...options, detached, stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = (): void => end(child, detached);
  signal.addEventListener('abort', stop, { once: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (log !== undefined) appendFileSync(log, text);
    });
  }
  return new Promise<Ended>((resolve, reject) => {
    child.on('error', (error) =>
      reject(new CliError(EXIT.machine, `${command} cannot be run: ${error.message}.`)),
    );
    child.on('close', (code) => (signal.aborted ? reject(signal.reason) : resolve({ code, output })));
  }).finally(() => signal.removeEventListener('abort', stop));
}

function end(child: ChildProcess, isGroup: boolean): void {
  if (child.pid === undefined) return;
  try {
    if (isGroup) process.kill(-child.pid, 'SIGTERM');
    else child.kill();
  } catch {
    // It has ended meanwhile.
  }
}
