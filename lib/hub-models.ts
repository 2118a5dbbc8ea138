// The pulled repositories: listing and removing them.

import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { NeoxError } from './errors.js';
import { cachedCommit, cacheFolder, filesUnder, repoFolder } from './hub-cache.js';
import { isCommit, requireModelName } from './hub-names.js';
import { assertKnownOptions, assertString } from './validate.js';

/** A version of a pulled repository. */
export interface PulledRevision {
  /** By which it is known for good. */
  commit: string;
  /** Branches and tags that stood for the commit when it was pulled. */
  refs: string[];
  /** The folder of its files. */
  path: string;
  /** What was pulled of it. */
  files: {
    /** Within the folder. */
    name: string;
    /** Its size. */
    bytes: number;
  }[];
}

/** A pulled repository. */
export interface PulledModel {
  /** `owner/name`. */
  repo: string;
  /** The folder of all its revisions. */
  path: string;
  /** On disk; what revisions share counts once. Interrupted downloads are among it. */
  bytes: number;
  /** Those that have files. */
  revisions: PulledRevision[];
}

/** Of `listModels` and `removeModel`. */
export interface CacheOptions {
  /** @defaultValue `HF_HUB_CACHE`, else `$HF_HOME/hub`, else `~/.cache/huggingface/hub` */
  cacheDir?: string;
}

/** The repositories of the cache, by name; those that other tools pulled, too. */
export function listModels(options: CacheOptions = {}): PulledModel[] {
  const cache = cacheOf('listModels', options);
  if (!existsSync(cache)) return [];
  return readdirSync(cache)
    .filter((entry) => /^models--.+--.+$/.test(entry))
    .sort()
    .map((entry) => describe(join(cache, entry), entry.slice('models--'.length).replace('--', '/')));
}

/**
 * Removes a repository from the cache, or with `owner/name@revision` one revision and what no other one shares.
 * @returns bytes that were freed
 * @throws ArgumentError; `ERR_NEOX_FILE_NOT_FOUND` when it is not there
 */
export async function removeModel(name: string, options: CacheOptions = {}): Promise<number> {
  assertString('name', name);
  const cache = cacheOf('removeModel', options);
  const { repo, revision, file } = requireModelName(name);
  const folder = repoFolder(cache, repo);
  const hasRevision = name.includes('@');
  const commit = cachedCommit(folder, revision);
  if (!existsSync(folder) || file !== undefined || (hasRevision && commit === undefined)) {
    throw new NeoxError(
      'ERR_NEOX_FILE_NOT_FOUND',
      `'${name}' is not among the pulled repositories of ${cache}.`,
    );
  }
  const before = bytesUnder(folder);
  const others = snapshotsOf(folder).filter((each) => each !== commit);
  if (!hasRevision || others.length === 0) {
    await rm(folder, { recursive: true });
    await rm(join(cache, '.locks', basename(folder)), { recursive: true, force: true });
    return before;
  }
  await rm(join(folder, 'snapshots', commit as string), { recursive: true });
  for (const ref of refsTo(folder, commit as string)) await rm(join(folder, 'refs', ref));
  const used = new Set(others.flatMap((each) => blobsOf(join(folder, 'snapshots', each))));
  for (const blob of filesUnder(join(folder, 'blobs'))) {
    if (!used.has(blob)) await rm(join(folder, 'blobs', blob));
  }
  return before - bytesUnder(folder);
}

function cacheOf(where: string, options: CacheOptions): string {
  assertKnownOptions(where, options, ['cacheDir']);
  if (options.cacheDir !== undefined) assertString('cacheDir', options.cacheDir);
  return options.cacheDir ?? cacheFolder();
}

function describe(folder: string, repo: string): PulledModel {
  const revisions = snapshotsOf(folder).map((commit): PulledRevision => {
    const path = join(folder, 'snapshots', commit);
    const files = filesUnder(path).map((name) => {
      return { name, bytes: statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0 };
    });
    return { commit, refs: refsTo(folder, commit), path, files };
  });
  return { repo, path: folder, bytes: bytesUnder(folder), revisions };
}

function snapshotsOf(folder: string): string[] {
  const path = join(folder, 'snapshots');
  return existsSync(path) ? readdirSync(path).filter(isCommit).sort() : [];
}

function refsTo(folder: string, commit: string): string[] {
  const refs = join(folder, 'refs');
  return filesUnder(refs).filter((ref) => readFileSync(join(refs, ref), 'utf8').trim() === commit);
}

// Names of the blobs that a snapshot links to; a file that is no link has none.
function blobsOf(snapshot: string): string[] {
  return filesUnder(snapshot)
    .map((name) => join(snapshot, name))
    .filter((path) => lstatSync(path).isSymbolicLink())
    .map((path) => basename(readlinkSync(path)));
}

function bytesUnder(folder: string): number {
  return filesUnder(folder).reduce((sum, name) => sum + lstatSync(join(folder, name)).size, 0);
}
