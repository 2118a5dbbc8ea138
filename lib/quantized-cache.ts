// Quantized copies of models that were quantized while loading, so that the next load reads a small file. A copy is found by
// what it was made from: the names, sizes, times and inodes of the source's files, the type, and the quantizer's version.

import { mkdir, readdir, realpath, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { detectChatFormat } from './chat.js';
import { NeoxError } from './errors.js';
import { createHash } from './hash.js';
import { modelNameOf } from './hub-cache.js';
import type { JobResult } from './job-types.js';
import { type JobOptions, runJob } from './jobs.js';
import { modelNames } from './model-names.js';
import { native } from './native.js';
import type { FileType } from './types.js';

/** Raised when the same type would be made of other bytes: copies made before are then made again. */
const QUANTIZER_VERSION = 1;
const MODEL_FILES = /\.(json|safetensors|bin|model|txt|jinja)$/i;
/** A file under a temporary name that nobody has written to for so long was left by a process that died. */
const STALE_MS = 60 * 60 * 1000;

/**
 * Where `cache: true` keeps quantized copies: `gpt-neox/quantized` in the user's cache folder, which is `$XDG_CACHE_HOME` or
 * `~/.cache`, on macOS `~/Library/Caches`, on Windows `%LOCALAPPDATA%`. The folder may be deleted at any time.
 */
export function quantizedCacheFolder(): string {
  return join(userCacheFolder(), 'gpt-neox', 'quantized');
}

function userCacheFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (process.platform === 'win32') return LOCALAPPDATA || join(homedir(), 'AppData', 'Local');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches');
  return XDG_CACHE_HOME || join(homedir(), '.cache');
}

export interface CachedCopy {
  path: string;
  /** Bytes of tensor data that making it wrote; 0 where it was there. */
  writtenBytes: number;
}

/**
 * The copy of a model in a type, made if it is not there or is not what it must be.
 * @param source - a .gguf file or a directory
 * @returns undefined where the model is a file of this type already, and, after a warning, where the cache cannot be written
 * @throws what converting throws
 */
export async function quantizedCopy(
  source: string,
  type: FileType,
  cache: true | string,
  options: JobOptions,
): Promise<CachedCopy | undefined> {
  const key = await keyOf(source, type);
  const folder = cache === true ? quantizedCacheFolder() : cache;
  const name = modelNameOf(source)
    .replace(/[^\w.-]/g, '_')
    .slice(0, 80);
  const path = join(folder, `${name}-${type}-${key.slice(0, 16)}.gguf`);
  if (await isCopy(path, key)) return { path, writtenBytes: 0 };
  const isFolder = (await stat(source)).isDirectory();
  if (!isFolder && (await native().inspect(source, { maxSequences: 1 })).fileType === type) return undefined;
  try {
    await mkdir(folder, { recursive: true });
    await removeStale(folder, path);
    const { tensorBytes, requantized } = await write(source, path, type, key, options);
    if (requantized.length > 0) {
      warn(`'${source}' is quantized already; quantizing it again adds one error to another.`);
    }
    return { path, writtenBytes: tensorBytes };
  } catch (error) {
    if (!isWriteError(error)) throw error;
    // Another process may have put it there; Windows then lets nobody replace a file that is open.
    if (await isCopy(path, key)) return { path, writtenBytes: 0 };
    warn(`The quantized copy was not kept: ${(error as Error).message}`);
    return undefined;
  }
}

async function keyOf(source: string, type: FileType): Promise<string> {
  const path = await realpath(source).catch((error: unknown) => {
    throw new NeoxError('ERR_NEOX_FILE_NOT_FOUND', `Cannot open '${source}'.`, { cause: error });
  });
  const isFolder = (await stat(path)).isDirectory();
  const names = isFolder ? (await readdir(path)).filter((name) => MODEL_FILES.test(name)).sort() : [''];
  const files: (string | number)[][] = [];
  for (const name of names) {
    const file = await stat(join(path, name), { bigint: true });
    if (file.isFile()) files.push([name, `${file.size}`, `${file.mtimeNs}`, `${file.ino}`]);
  }
  const identity = JSON.stringify([QUANTIZER_VERSION, type, path, files]);
  return createHash('sha256').update(identity).digest('hex');
}

/** Whether there is a whole GGUF file that says it was made from what `key` stands for. */
async function isCopy(path: string, key: string): Promise<boolean> {
  try {
    return (await native().inspect(path, { maxSequences: 1 })).quantizedFrom === key;
  } catch {
    return false;
  }
}

async function write(
  source: string,
  output: string,
  type: FileType,
  quantizedFrom: string,
  options: JobOptions,
): Promise<JobResult> {
  const job = { source, output, type, quantizedFrom };
  if (!(await stat(source)).isDirectory()) {
    return runJob((report) => native().quantize({ ...job, allowRequantize: true }, report), options);
  }
  const name = modelNameOf(source);
  const chatFormat = detectChatFormat({ names: modelNames(source) })?.name;
  const given = chatFormat === undefined ? {} : { chatFormat };
  return runJob((report) => native().convert({ ...job, name, ...given }, report), options);
}

async function removeStale(folder: string, path: string): Promise<void> {
  const entries = await readdir(folder);
  for (const entry of entries.map((each) => join(folder, each))) {
    if (!entry.startsWith(`${path}.`) || !entry.endsWith('.tmp')) continue;
    const { mtimeMs } = await stat(entry).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (Date.now() - mtimeMs > STALE_MS) await rm(entry, { force: true });
  }
}

// Codes of node:fs have no prefix of ours.
function isWriteError(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'ERR_NEOX_IO' || (typeof code === 'string' && /^E[A-Z]+$/.test(code));
}

function warn(message: string): void {
  process.emitWarning(message, 'NeoxWarning');
}
