// Finds the addon and loads it; where that fails, says what was looked for, where, and what helps. The only importer of
// node-gyp-build, which takes build/Release before prebuilds/.

import { existsSync, readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import { LoadError } from './errors.js';

interface Finder {
  (folder: string): object;
  path?(folder: string): string;
}

const packageFolder = join(__dirname, '..');

/**
 * @param names - what it must export
 * @throws LoadError
 */
export function loadAddon(names: readonly string[]): object {
  let addon: object;
  try {
    addon = (require('node-gyp-build') as Finder)(packageFolder);
  } catch (error) {
    throw new LoadError(explain(error), { cause: error });
  }
  const missing = names.filter((name) => !Object.hasOwn(addon, name));
  if (missing.length === 0) return addon;
  const lack = `${found() ?? 'The native addon'} is of another version of gpt-neox: it lacks ${missing.join(', ')}.`;
  throw new LoadError(`${lack} ${cure(found())}`);
}

function explain(error: unknown): string {
  const { code } = error as { code?: unknown };
  const message = (error instanceof Error ? error.message : String(error)).trim();
  const reason = (message.split('\n')[0] ?? '').replace(/\.$/, '');
  if (code === 'MODULE_NOT_FOUND' && reason.includes('node-gyp-build')) {
    return (
      'The package node-gyp-build, which finds the native addon of gpt-neox, is not installed. Install gpt-neox with its ' +
      'dependencies; in a bundle, mark gpt-neox as external.'
    );
  }
  if (message.startsWith('No native build was found')) return notFound();
  const file = found();
  const cause = CAUSES.find(([pattern]) => pattern.test(message));
  const why = cause === undefined ? '' : ` ${cause[1]()}`;
  return `The native addon of gpt-neox could not be loaded on ${machine()}: ${reason}.${why} ${cure(file)}`;
}

// What the system's loader says, and what it means.
const CAUSES: readonly (readonly [RegExp, () => string])[] = [
  [/GLIBC_[\d.]+' not found/, () => `It needs a newer C library than the ${libc()} of this system.`],
  [
    /ld-linux|ld-musl|lib[cm]\.so\.6|libc\.musl/,
    () =>
      `It is for another C library than the ${libc()} of this system; LIBC=musl or LIBC=glibc in the environment chooses.`,
  ],
  [
    /invalid ELF header|wrong ELF class|file too short|valid Win32 application|incompatible architecture|mach-o/i,
    () =>
      'It is damaged or made for another system, as when node_modules was copied between machines: install again here.',
  ],
];

function notFound(): string {
  const folders = list(join(packageFolder, 'prebuilds'));
  const has = folders.length === 0 ? 'there is none at all' : `there are those for ${folders.join(', ')}`;
  const parts = [
    `No native addon of gpt-neox for ${machine()} in ${join(packageFolder, 'prebuilds')} (${has}).`,
  ];
  for (const name of ['npm_config_platform', 'npm_config_arch', 'LIBC']) {
    const value = process.env[name];
    if (value) parts.push(`${name}=${value} in the environment asked for that.`);
  }
  if (process.env.PREBUILDS_ONLY) parts.push('PREBUILDS_ONLY is set, so build/Release was not looked at.');
  if (folders.length === 0 && !isCheckout()) {
    parts.push('In a bundle, mark gpt-neox as external, so that it stays beside its binaries.');
  }
  return `${parts.join(' ')} ${cure(undefined)}`;
}

function cure(file: string | undefined): string {
  const command = isCheckout() ? '`npm run build:native`' : '`npx gpt-neox build`';
  const isBuilt = file?.includes(`${sep}build${sep}`);
  const advice = `${command} builds one on this machine from source`;
  return isBuilt ? `${advice}; without ${file}, a prebuilt one is taken where there is one.` : `${advice}.`;
}

function isCheckout(): boolean {
  return existsSync(join(packageFolder, 'lib', 'index.ts'));
}

/** The file that node-gyp-build chose. */
function found(): string | undefined {
  try {
    return (require('node-gyp-build') as Finder).path?.(packageFolder);
  } catch {
    return undefined;
  }
}

/** `linux-x64 with glibc 2.36`, as node-gyp-build sees it. */
function machine(): string {
  const { npm_config_platform, npm_config_arch } = process.env;
  const platform = npm_config_platform || process.platform;
  const name = `${platform}-${npm_config_arch || process.arch}`;
  return platform === 'linux' && process.platform === 'linux' ? `${name} with ${libc()}` : name;
}

function libc(): string {
  const report = process.report as { excludeNetwork?: boolean; getReport(): object };
  report.excludeNetwork = true; // it would look up names of hosts
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime === undefined ? 'musl' : `glibc ${header.glibcVersionRuntime}`;
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
