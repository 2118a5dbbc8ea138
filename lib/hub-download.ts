// One file of a hub into one file here: resumed after a lost connection, and under its name only when its checksum is right.

import type { Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HubError } from './errors.js';
import { createHash } from './hash.js';
import { bodyOf, type Hub, type HubFile, reasonOf, request } from './hub-api.js';

const FRUITLESS_ATTEMPTS = 5; // in a row, without a byte more
const FRUITLESS_DELAY_MS = 100;

export interface Download {
  hub: Hub;
  /** `/owner/name/resolve/<commit>/<file>`. */
  urlPath: string;
  file: HubFile;
  /** Where it goes; `path.incomplete` is what there is so far. */
  path: string;
  /** Called with the bytes of the file that are there. */
  onBytes: (bytes: number) => void;
}

/**
 * @returns the file's MD5, by which model cards name their files
 * @throws HubError `ERR_NEOX_NETWORK`, `ERR_NEOX_CHECKSUM`; `signal.reason`; Node's errors of the file system
 */
export async function download(job: Download): Promise<string> {
  await mkdir(dirname(job.path), { recursive: true });
  const part = `${job.path}.incomplete`;
  for (const isLast of [false, true]) {
    const sums = await fill(job, part);
    if (sums.sum === job.file.blob) {
      await rename(part, job.path);
      return sums.md5;
    }
    // What was resumed may have been damaged before, so the whole is tried once more.
    await rm(part);
    if (isLast) {
      throw new HubError(
        'ERR_NEOX_CHECKSUM',
        `${job.file.path} arrived with the checksum ${sums.sum}; the hub says ${job.file.blob}.`,
      );
    }
  }
  throw new Error('unreachable');
}

/** Checksums of a file on disk: the one that names its blob, and its MD5. */
export async function hashFile(path: string, file: Pick<HubFile, 'bytes' | 'hash'>): Promise<Sums> {
  const sums = new Sums(file);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) sums.update(chunk as Buffer);
  return sums;
}

class Sums {
  readonly #sum: Hash;
  readonly #md5 = createHash('md5');
  #done: { sum: string; md5: string } | undefined;

  constructor({ bytes, hash }: Pick<HubFile, 'bytes' | 'hash'>) {
    this.#sum = createHash(hash === 'sha256' ? 'sha256' : 'sha1');
    if (hash === 'git-sha1') this.#sum.update(`blob ${bytes}\0`);
  }

  update(chunk: Uint8Array): void {
    this.#sum.update(chunk);
    this.#md5.update(chunk);
  }

  get sum(): string {
    return this.#end().sum;
  }

  get md5(): string {
    return this.#end().md5;
  }

  #end(): { sum: string; md5: string } {
    this.#done ??= { sum: this.#sum.digest('hex'), md5: this.#md5.digest('hex') };
    return this.#done;
  }
}

interface Filling {
  out: FileHandle;
  /** Bytes that are there. */
  at: number;
  sums: Sums;
}

/** Requests until the file has all its bytes. */
async function fill(job: Download, part: string): Promise<Sums> {
  const { file, hub } = job;
  const held = (await stat(part).catch(() => undefined))?.size ?? 0;
  const isPart = held > 0 && held <= file.bytes;
  const sums = isPart ? await hashFile(part, file) : new Sums(file);
  const state: Filling = { out: await open(part, isPart ? 'r+' : 'w'), at: isPart ? held : 0, sums };
  try {
    job.onBytes(state.at);
    // Progress is a byte more than ever before: a server may send the same ones for ever.
    for (let fruitless = 0, most = state.at; state.at < file.bytes; ) {
      let failure: unknown = new Error('the connection ended early');
      try {
        await advance(job, state);
      } catch (error) {
        hub.signal?.throwIfAborted();
        if (error instanceof HubError || isFileError(error)) throw error;
        failure = error;
      }
      fruitless = state.at > most ? 0 : fruitless + 1;
      most = Math.max(most, state.at);
      if (fruitless === FRUITLESS_ATTEMPTS) throw lost(job, reasonOf(failure), failure);
      await sleep(FRUITLESS_DELAY_MS * fruitless);
    }
    await state.out.sync();
    return state.sums;
  } finally {
    await state.out.close();
  }
}

/** One request: the rest of the file, or all of it where the server has another idea of ranges. */
async function advance(job: Download, state: Filling): Promise<void> {
  const { file, hub } = job;
  const response = await request(hub, job.urlPath, state.at > 0 ? { range: `bytes=${state.at}-` } : {});
  if (!continues(response, state.at, file.bytes)) {
    await state.out.truncate(0);
    state.at = 0;
    state.sums = new Sums(file);
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`the server answers ${response.status} with the wrong range`);
    }
  }
  for await (const chunk of bodyOf(response, hub.signal)) {
    if (state.at + chunk.length > file.bytes)
      throw lost(job, `the server sends more than ${file.bytes} bytes`);
    await state.out.write(chunk, 0, chunk.length, state.at);
    state.sums.update(chunk);
    state.at += chunk.length;
    job.onBytes(state.at);
  }
}

/** Whether an answer is the rest of the file from `at` on. */
function continues(response: Response, at: number, bytes: number): boolean {
  if (response.status === 200) return at === 0;
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  if (response.status !== 206 || !range) return false;
  const [, first, , total] = range;
  return Number(first) === at && (total === '*' || Number(total) === bytes);
}

// A full disk is not mended by another request.
function isFileError(error: unknown): boolean {
  const { syscall } = error as { syscall?: string };
  return ['open', 'write', 'ftruncate', 'fsync'].includes(syscall ?? '');
}

function lost({ file, hub }: Download, why: string, cause?: unknown): HubError {
  return new HubError('ERR_NEOX_NETWORK', `${file.path} cannot be fetched from ${hub.endpoint}: ${why}.`, {
    cause,
  });
}
