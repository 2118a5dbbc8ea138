// The folder of pulled repositories, in the layout of huggingface_hub, so that Python's tools and this package share it:
//
//   <cache>/models--owner--name/blobs/<sha256 or git sha1>       contents
//                              /snapshots/<commit>/<file>        links into blobs/
//                              /refs/<branch or tag>             the commit that it was when it was pulled

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join, relative, resolve, sep } from 'node:path';
import { outsideArchive } from './asar.js';
import { ArgumentError, NeoxError } from './errors.js';
import { isCommit, type ModelName, parseModelName } from './hub-names.js';

/** A path to a file that is not there, rather than a name. */
const FILE = /\.(?:gguf|safetensors|bin|json)$/i;

/** Where repositories are kept: `HF_HUB_CACHE`, else `$HF_HOME/hub`, else `~/.cache/huggingface/hub`. */
export function cacheFolder(): string {
  return process.env.HF_HUB_CACHE || join(hubHome(), 'hub');
}

/** Hugging Face's own folder, which also holds the token of `hf auth login`. */
export function hubHome(): string {
  const { HF_HOME, XDG_CACHE_HOME } = process.env;
  return HF_HOME || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface');
}

/** @param repo - `owner/name` of a parsed name: nothing in it leaves the cache */
export function repoFolder(cache: string, repo: string): string {
  return join(cache, `models--${repo.replace('/', '--')}`);
}

/** The commit that a branch, tag or commit stands for here; undefined where it was not pulled. */
export function cachedCommit(folder: string, revision: string): string | undefined {
  let commit = revision;
  if (!isCommit(revision)) {
    const ref = join(folder, 'refs', revision);
    if (!isFile(ref)) return undefined;
    commit = readFileSync(ref, 'utf8').trim();
  }
  return isCommit(commit) && existsSync(join(folder, 'snapshots', commit)) ? commit : undefined;
}

/** Names of all files under a folder, with `/` between the parts; nothing where there is no folder. */
export function filesUnder(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)).replaceAll(sep, '/'))
    .sort();
}

/**
 * What a path argument of the package names: a file or folder, else a pulled repository.
 * @returns a path that exists, or `path` itself where it is no name either, for its reader to refuse
 * @throws ArgumentError; NeoxError `ERR_NEOX_FILE_NOT_FOUND` for a repository that was not pulled, with the command that does, and
 * for a file inside an Electron archive
 */
export function resolveModelPath(path: string): string {
  if (path.includes('\0')) throw new ArgumentError('A path with a NUL character names no file.');
  const file = outsideArchive(path);
  if (existsSync(file)) return file;
  const name = parseModelName(path);
  if (!name || FILE.test(name.repo)) return path;
  const folder = repoFolder(cacheFolder(), name.repo);
  const commit = cachedCommit(folder, name.revision);
  if (commit === undefined) {
    const wanted = path.split(':')[0];
    throw notFound(`'${path}' is neither a file nor a pulled repository; 'neox pull ${wanted}' fetches it.`);
  }
  return modelIn(join(folder, 'snapshots', commit), name, path);
}

/** What the model at a path is called: its repository's name, else that of its file or folder. */
export function modelNameOf(path: string): string {
  const absolute = existsSync(path) ? resolve(path) : undefined;
  const cached = /[\\/]models--.+?--([^\\/]+)[\\/]snapshots[\\/][0-9a-f]{40}$/.exec(absolute ?? '');
  if (cached?.[1]) return cached[1];
  const name = absolute === undefined ? parseModelName(path) : undefined;
  return basename(name?.repo ?? absolute ?? path);
}

/** The model of a snapshot: the folder itself when it is a checkpoint, else its .gguf file. */
function modelIn(snapshot: string, { file }: ModelName, path: string): string {
  const files = filesUnder(snapshot);
  if (file !== undefined && files.includes(file)) return join(snapshot, file);
  const ggufs = files.filter((name) => name.endsWith('.gguf'));
  if (file === undefined && files.includes('config.json') && ggufs.length === 0) return snapshot;
  if (file === undefined && files.some(isWeights)) return snapshot;
  const wanted = ggufs.filter((name) => name.toLowerCase().includes((file ?? '').toLowerCase()));
  if (wanted.length === 1) return join(snapshot, wanted[0] as string);
  if (wanted.length > 1) {
    throw notFound(`'${path}' holds ${wanted.join(', ')}; add :name to say which.`);
  }
  throw notFound(
    `'${path}' holds no ${file === undefined ? 'model' : `file '${file}'`} of those that were pulled.`,
  );
}

function isWeights(name: string): boolean {
  return /^(?:model|pytorch_model).*\.(?:safetensors|bin)$/.test(name);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function notFound(message: string): NeoxError {
  return new NeoxError('ERR_NEOX_FILE_NOT_FOUND', message);
}
