// The page's file: a whole one or none.

import { access, constants, readlink, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { UsageError } from '../../exit-codes.js';

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
  try {
    await writeFile(part, text, old === undefined ? {} : { mode: old.mode });
    await rename(part, target);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** The file behind a link, also one that is not there yet. */
async function targetOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const named = await readlink(path).catch(() => undefined);
    return named === undefined ? resolve(path) : resolve(dirname(path), named);
  }
}
