// The page's file: a whole one or none.

import { access, constants, open, readlink, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { UsageError } from '../../exit-codes.js';

const MOST_LINKS = 40; // as Linux follows

/** @throws what writing would, so that it is told before an hour of measuring */
export async function assertWritable(path: string): Promise<void> {
  const target = await targetOf(path);
  const old = await stat(target).catch(() => undefined);
  if (old?.isDirectory()) throw new UsageError(`--report takes a file; '${path}' is a folder.`);
  await access(old === undefined || old.isFile() ? dirname(target) : target, constants.W_OK);
}

/** A link stays, and what it names is written. What is no file, such as a pipe, is written into. */
export async function writePage(path: string, text: string): Promise<void> {
  const target = await targetOf(path);
  const old = await stat(target).catch(() => undefined);
  if (old?.isFile() === false) return writeFile(target, text);
  const part = `${target}.${process.pid}.part`;
  const file = await open(part, 'wx', old?.mode);
  try {
    await file.writeFile(text).finally(() => file.close());
    await rename(part, target);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** The file behind links, also one that is not there yet. What is no file is opened by its own name: some pipes have no other. */
async function targetOf(path: string): Promise<string> {
  const old = await stat(path).catch(() => undefined);
  if (old !== undefined) return old.isFile() ? realpath(path) : path;
  let target = resolve(path);
  for (let links = 0; links < MOST_LINKS; links++) {
    const named = await readlink(target).catch(() => undefined);
    if (named === undefined) break;
    target = resolve(dirname(target), named);
  }
  return target;
}
