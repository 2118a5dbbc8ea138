// How a repository of the hub is named where a path is expected: `owner/name`, `owner/name@revision`, `owner/name:file`.

import { ArgumentError } from './errors.js';

export interface ModelName {
  /** `owner/name`. */
  repo: string;
  /** A branch, a tag or a commit; `main` where none is given. */
  revision: string;
  /** A file of the repository, or a part of the name of one of its .gguf files such as `Q4_K_M`. */
  file?: string;
}

const REPO = /^[A-Za-z0-9](?:[\w.-]{0,94}\w)?\/[A-Za-z0-9](?:[\w.-]{0,94}\w)?$/;
const REVISION = /^\w[\w./-]{0,127}$/;
const COMMIT = /^[0-9a-f]{40}$/;
// Names that Windows gives to devices, whatever their extension.
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

/** The parts of a name, or undefined for text that cannot be one. */
export function parseModelName(text: string): ModelName | undefined {
  const match = /^([^@:]+)(?:@([^:]+))?(?::(.+))?$/.exec(text);
  const [, repo = '', revision = 'main', file] = match ?? [];
  if (!REPO.test(repo) || /--|\.\./.test(repo) || !isRevision(revision)) return undefined;
  if (file !== undefined && !isSafePath(file)) return undefined;
  return { repo, revision, ...(file === undefined ? {} : { file }) };
}

/** @throws ArgumentError for text that is no name */
export function requireModelName(text: string): ModelName {
  const name = parseModelName(text);
  if (name) return name;
  throw new ArgumentError(
    `'${text.slice(0, 200)}' is no name of a repository; owner/name, owner/name@revision or owner/name:file was expected.`,
  );
}

export function isRevision(text: string): boolean {
  return REVISION.test(text) && isSafePath(text);
}

export function isCommit(text: string): boolean {
  return COMMIT.test(text);
}

/** Whether a path that a server names stays inside its folder, on every system. */
export function isSafePath(path: string): boolean {
  if (path.length > 1024 || /[\\:*?"<>|]/.test(path) || [...path].some((letter) => letter < ' '))
    return false;
  return path.split('/').every((part) => {
    return part !== '' && part.length <= 255 && !/^\.{1,2}$|[. ]$/.test(part) && !DEVICE.test(part);
  });
}
