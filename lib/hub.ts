// Repositories of the hub, fetched by name.

import { existsSync } from 'node:fs';
import { copyFile, mkdir, readlink, rename, rm, statfs, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { NeoxError } from './errors.js';
import { defaultEndpoint, defaultToken, type Hub, type HubFile, listFiles } from './hub-api.js';
import { cachedCommit, cacheFolder, filesUnder, repoFolder } from './hub-cache.js';
import { download, hashFile } from './hub-download.js';
import { withLock } from './hub-lock.js';
import { isCommit, isRevision, requireModelName } from './hub-names.js';
import { chooseFiles } from './hub-selection.js';
import { warningOf } from './known-files.js';
import type { Progress } from './types.js';
import {
  assertBoolean,
  assertFunction,
  assertKnownOptions,
  assertSignal,
  assertString,
  unexpected,
} from './validate.js';

/** Of `pull`. */
export interface PullOptions {
  /** A branch, a tag or a commit. @defaultValue that of the name (`owner/name@revision`), else `main` */
  revision?: string;
  /** Patterns of file names. @defaultValue what loading needs: texts and one set of weights, or the only .gguf file */
  include?: string | readonly string[];
  /** Patterns of file names to leave out. @defaultValue none */
  exclude?: string | readonly string[];
  /** For private and gated repositories. @defaultValue `HF_TOKEN`, else that of `hf auth login` */
  token?: string;
  /** Another hub, or a mirror. @defaultValue `HF_ENDPOINT`, else the public hub */
  endpoint?: string;
  /** @defaultValue `HF_HUB_CACHE`, else `$HF_HOME/hub`, else `~/.cache/huggingface/hub` */
  cacheDir?: string;
  /** Asks no server: what was pulled before, or an error. @defaultValue whether `HF_HUB_OFFLINE` is set */
  offline?: boolean;
  /** Called from time to time with the bytes that are there, of all files; what it throws ends the work. */
  onProgress?: (progress: Progress & { file: string }) => void;
  /** Ends the work; what has come is kept for the next time. */
  signal?: AbortSignal;
}

/** What `pull` has brought. */
export interface PullResult {
  /** `owner/name`. */
  repo: string;
  /** Of the files, whatever the revision was called. */
  commit: string;
  /** The folder of the files; `Model.load` takes it, and the name as well. */
  path: string;
  /** Their names within the folder. */
  files: string[];
  /** That had to be fetched. */
  downloadedBytes: number;
  /** What the authors of a file say against it. */
  warnings: string[];
}

const OPTIONS = [
  ...['revision', 'include', 'exclude', 'token', 'endpoint', 'cacheDir', 'offline', 'onProgress', 'signal'],
];

/**
 * Fetches a repository into the cache that Python's huggingface_hub uses too, each file under its name only when its checksum
 * is right. An interrupted call goes on where it stopped.
 * @param name - `owner/name`, `owner/name@revision`, or `owner/name:file` for one file or those whose names have this part
 * @throws HubError, ArgumentError; `ERR_NEOX_FILE_NOT_FOUND` offline; `ERR_NEOX_IO` when the disk is too small; `signal.reason`
 */
export async function pull(name: string, options: PullOptions = {}): Promise<PullResult> {
  assertString('name', name);
  checkOptions(options);
  const parsed = requireModelName(name);
  const wanted = { ...parsed, revision: options.revision ?? parsed.revision };
  const cache = options.cacheDir ?? cacheFolder();
  const folder = repoFolder(cache, wanted.repo);
  if (options.offline ?? isSet(process.env.HF_HUB_OFFLINE))
    return offline(folder, wanted.repo, wanted.revision);

  const { signal, token = defaultToken() } = options;
  const endpoint = (options.endpoint ?? defaultEndpoint()).replace(/\/+$/, '');
  if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint))
    throw unexpected('an http or https URL', 'endpoint (HF_ENDPOINT)', endpoint);
  const stop = new AbortController();
  const signals = AbortSignal.any(signal ? [signal, stop.signal] : [stop.signal]);
  const hub: Hub = { endpoint, signal: signals, ...(token ? { token } : {}) };
  const { commit, files } = await listFiles(hub, wanted);
  const [include, exclude] = [list(options.include), list(options.exclude)];
  const chosen = chooseFiles(files, { repo: wanted.repo, part: wanted.file, include, exclude });
  const snapshot = join(folder, 'snapshots', commit);
  await checkSpace(cache, folder, chosen);

  const total = chosen.reduce((sum, file) => sum + file.bytes, 0);
  const result: PullResult = {
    repo: wanted.repo,
    commit,
    path: snapshot,
    files: [],
    downloadedBytes: 0,
    warnings: [],
  };
  let done = 0;
  for (const file of chosen) {
    const blob = join(folder, 'blobs', file.blob);
    const report = (bytes: number): void => {
      try {
        options.onProgress?.({ done: done + bytes, total, file: file.path });
      } catch (error) {
        stop.abort(error); // or it would pass for a failure of the connection
        throw error;
      }
    };
    const lock = join(cache, '.locks', basename(folder), `${file.blob}.lock`);
    const md5 = await withLock(lock, signal, async () => {
      if (existsSync(blob)) return undefined;
      const urlPath = `/${wanted.repo}/resolve/${commit}/${file.path.split('/').map(encodeURIComponent).join('/')}`;
      result.downloadedBytes += file.bytes;
      return download({ hub, urlPath, file, path: blob, onBytes: report });
    });
    await place(blob, join(snapshot, file.path));
    const warning = await warningFor(file, blob, md5);
    if (warning !== undefined) result.warnings.push(warning);
    result.files.push(file.path);
    done += file.bytes;
    report(0);
  }
  if (!isCommit(wanted.revision)) await writeWhole(join(folder, 'refs', wanted.revision), commit);
  return result;
}

function offline(folder: string, repo: string, revision: string): PullResult {
  const commit = cachedCommit(folder, revision);
  if (commit === undefined) {
    const where = `${repo}@${revision} was not pulled, and no server is asked offline.`;
    throw new NeoxError('ERR_NEOX_FILE_NOT_FOUND', where);
  }
  const path = join(folder, 'snapshots', commit);
  return { repo, commit, path, files: filesUnder(path), downloadedBytes: 0, warnings: [] };
}

/** @throws NeoxError `ERR_NEOX_IO` when what is missing does not fit */
async function checkSpace(cache: string, folder: string, files: readonly HubFile[]): Promise<void> {
  const missing = files.filter((file) => !existsSync(join(folder, 'blobs', file.blob)));
  const needed = missing.reduce((sum, file) => sum + file.bytes, 0);
  await mkdir(cache, { recursive: true });
  const { bavail, bsize } = await statfs(cache);
  if (needed <= bavail * bsize) return;
  const has = `${Math.round((bavail * bsize) / 1e6)} MB`;
  throw new NeoxError(
    'ERR_NEOX_IO',
    `'${cache}' has ${has} free; ${Math.round(needed / 1e6)} MB are missing.`,
  );
}

/** The file's name in the snapshot, as a link to its content; a copy where there can be no links. */
async function place(blob: string, path: string): Promise<void> {
  const target = relative(dirname(path), blob);
  if ((await readlink(path).catch(() => undefined)) === target) return;
  await mkdir(dirname(path), { recursive: true });
  await rm(path, { force: true });
  await symlink(target, path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPERM') throw error; // Windows without developer mode
    await copyFile(blob, path);
  });
}

// Only a checkpoint of the old kind has a sum on its card; one that was there already is read for it.
async function warningFor(file: HubFile, blob: string, md5: string | undefined): Promise<string | undefined> {
  if (!/(^|\/)pytorch_model.*\.bin$/.test(file.path)) return undefined;
  return warningOf(file.path, md5 ?? (await hashFile(blob, file)).md5);
}

async function writeWhole(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const part = `${path}.${process.pid}.part`;
  await writeFile(part, text);
  await rename(part, path);
}

function list(patterns: string | readonly string[] | undefined): readonly string[] {
  return typeof patterns === 'string' ? [patterns] : (patterns ?? []);
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && /^(?:1|true|yes|on)$/i.test(value);
}

function checkOptions(options: PullOptions): void {
  assertKnownOptions('pull', options, OPTIONS);
  const {
    revision,
    include,
    exclude,
    token,
    endpoint,
    cacheDir,
    offline: isOffline,
    onProgress,
    signal,
  } = options;
  for (const [name, value] of Object.entries({ revision, token, endpoint, cacheDir })) {
    if (value !== undefined) assertString(name, value);
  }
  if (revision !== undefined && !isRevision(revision))
    throw unexpected('a branch, a tag or a commit', 'revision', revision);
  for (const [name, value] of Object.entries({ include, exclude })) {
    if (value === undefined) continue;
    if (typeof value !== 'string' && !Array.isArray(value))
      throw unexpected('a pattern or a list of them', name, value);
    for (const pattern of list(value)) assertString(name, pattern);
  }
  if (isOffline !== undefined) assertBoolean('offline', isOffline);
  if (onProgress !== undefined) assertFunction('onProgress', onProgress);
  if (signal !== undefined) assertSignal('signal', signal);
}
