// What is asked of a hub: the files of a revision, and requests that are tried again when the connection fails.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HubError } from './errors.js';
import { hubHome } from './hub-cache.js';
import { isCommit, isSafePath, type ModelName } from './hub-names.js';

export interface Hub {
  /** Without a slash at the end. */
  endpoint: string;
  token?: string;
  signal?: AbortSignal;
}

export interface HubFile {
  path: string;
  bytes: number;
  /** Names the content in the cache: the SHA-256 of a large file, git's SHA-1 of a small one. */
  blob: string;
  hash: 'sha256' | 'git-sha1';
}

export interface HubListing {
  commit: string;
  files: HubFile[];
}

const DEFAULT_ENDPOINT = 'https://huggingface.co';
const ATTEMPTS = 6;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
const ANSWER_MS = 30_000;
const STALL_MS = 30_000;
const LARGEST_LISTING = 32 << 20;
const MOST_FILES = 10_000;

/** `HF_ENDPOINT`, or the public hub. */
export function defaultEndpoint(): string {
  return process.env.HF_ENDPOINT || DEFAULT_ENDPOINT;
}

/** `HF_TOKEN`, or what `hf auth login` left. */
export function defaultToken(): string | undefined {
  const token = process.env.HF_TOKEN?.trim(); // a line break of the file that it came from is none of it
  if (token) return token;
  const path = join(hubHome(), 'token');
  return existsSync(path) ? readFileSync(path, 'utf8').trim() || undefined : undefined;
}

/** The files of a revision, with the commit that it stands for now. */
export async function listFiles(hub: Hub, { repo, revision }: ModelName): Promise<HubListing> {
  const path = `/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const text = await attempt(hub, path, {}, (response) => readText(response, LARGEST_LISTING, hub.signal));
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw malformed(hub, 'no JSON');
  }
  const { sha, siblings } = (answer ?? {}) as { sha?: unknown; siblings?: unknown };
  if (typeof sha !== 'string' || !isCommit(sha)) throw malformed(hub, 'no commit');
  if (!Array.isArray(siblings) || siblings.length > MOST_FILES) throw malformed(hub, 'no list of files');
  const files = siblings.map((entry) => readFile(hub, entry));
  if (new Set(files.map((file) => file.path)).size < files.length) throw malformed(hub, 'a file twice');
  return { commit: sha, files };
}

// A server's word is not trusted: names become paths, and sums become names.
function readFile(hub: Hub, entry: unknown): HubFile {
  const { rfilename, size, blobId, lfs } = (entry ?? {}) as Record<string, unknown>;
  if (typeof rfilename !== 'string' || !isSafePath(rfilename)) {
    throw malformed(hub, `the file name ${JSON.stringify(rfilename)?.slice(0, 200)}`);
  }
  const large = lfs as { sha256?: unknown; size?: unknown } | null | undefined;
  const bytes = large?.size ?? size;
  if (!Number.isSafeInteger(bytes) || (bytes as number) < 0)
    throw malformed(hub, `no size of '${rfilename}'`);
  const blob = large ? large.sha256 : blobId;
  if (typeof blob !== 'string' || !(large ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/).test(blob)) {
    throw malformed(hub, `no checksum of '${rfilename}'`);
  }
  return { path: rfilename, bytes: bytes as number, blob, hash: large ? 'sha256' : 'git-sha1' };
}

/**
 * GET, following redirects; another host never sees the token, as fetch has it. Tried again after a lost connection, a
 * busy or a failing server.
 * @throws HubError; `signal.reason`
 */
export function request(hub: Hub, path: string, headers: Record<string, string> = {}): Promise<Response> {
  return attempt(hub, path, headers, async (response) => response);
}

/** {@link request}, and `read` with it: where it fails, all is tried again. */
async function attempt<T>(
  hub: Hub,
  path: string,
  headers: Record<string, string>,
  read: (response: Response) => Promise<T>,
): Promise<T> {
  const url = `${hub.endpoint}${path}`;
  for (let attempt = 1; ; attempt++) {
    hub.signal?.throwIfAborted();
    let failure: HubError;
    let delay = Math.min(FIRST_DELAY_MS * 2 ** (attempt - 1), LONGEST_DELAY_MS);
    try {
      const response = await answer(hub, url, headers);
      if (response.ok || response.status === 416) return await read(response);
      await response.body?.cancel();
      failure = refusal(url, response);
      if (response.status !== 429 && response.status < 500) throw failure;
      const wait = Number(response.headers.get('retry-after'));
      if (wait > 0) delay = Math.min(wait * 1000, LONGEST_DELAY_MS);
    } catch (error) {
      hub.signal?.throwIfAborted();
      if (error instanceof HubError) throw error;
      failure = new HubError('ERR_NEOX_NETWORK', `${url} cannot be reached: ${reasonOf(error)}.`, {
        cause: error,
      });
    }
    if (attempt === ATTEMPTS) throw failure;
    await sleep(delay, undefined, hub.signal ? { signal: hub.signal } : {}).catch(() => {});
  }
}

// The timer covers the wait for the answer's head; its body has the reader's own.
async function answer(hub: Hub, url: string, headers: Record<string, string>): Promise<Response> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(new Error(`no answer in ${ANSWER_MS / 1000} s`)), ANSWER_MS);
  const signals = hub.signal ? [hub.signal, timeout.signal] : [timeout.signal];
  const authorization = hub.token ? { authorization: `Bearer ${hub.token}` } : {};
  try {
    return await fetch(url, {
      // Content as it is: a compressed one has other lengths than those that ranges count.
      headers: { 'accept-encoding': 'identity', 'user-agent': 'gpt-neox', ...authorization, ...headers },
      signal: AbortSignal.any(signals),
    });
  } finally {
    clearTimeout(timer);
  }
}

function refusal(url: string, { status, headers }: Response): HubError {
  const why = headers.get('x-error-message')?.slice(0, 300);
  const hint =
    status === 401 || status === 403
      ? ' A private or gated repository needs a token: accept its terms on its page, then set HF_TOKEN.'
      : status === 404
        ? ' Is the name right, and the revision? A private repository answers so without a token.'
        : '';
  return new HubError('ERR_NEOX_HUB', `${url} answered ${status}${why ? ` (${why})` : ''}.${hint}`);
}

/** @throws HubError for a body above `limit` bytes */
async function readText(response: Response, limit: number, signal: AbortSignal | undefined): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of bodyOf(response, signal)) {
    parts.push(part);
    length += part.length;
    if (length > limit)
      throw new HubError('ERR_NEOX_HUB', `${response.url} answered more than ${limit} bytes.`);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** The body's chunks; an error when none comes for a while. */
export async function* bodyOf(
  response: Response,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      signal?.throwIfAborted();
      let timer: NodeJS.Timeout | undefined;
      const stalled = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`nothing came for ${STALL_MS / 1000} s`)), STALL_MS);
      });
      const { done, value } = await Promise.race([reader.read(), stalled]).finally(() => clearTimeout(timer));
      if (done) return;
      yield value as Uint8Array;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** What went wrong below fetch, which says nothing but "fetch failed". */
export function reasonOf(error: unknown): string {
  const { cause, message } = error as { cause?: unknown; message?: string };
  const { code, message: inner } = (cause ?? {}) as { code?: string; message?: string };
  return inner || code || message || String(error);
}

function malformed({ endpoint }: Hub, what: string): HubError {
  return new HubError('ERR_NEOX_HUB', `${endpoint} does not answer as a hub: its list of files has ${what}.`);
}
