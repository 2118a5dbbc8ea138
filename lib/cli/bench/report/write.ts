// The page's file: a whole one or none.

import { rename, rm, stat, writeFile } from 'node:fs/promises';

/** What is no file, such as a pipe, is written into. */
export async function writePage(path: string, text: string): Promise<void> {
  const old = await stat(path).catch(() => undefined);
  if (old?.isFile() === false) return writeFile(path, text);
  const part = `${path}.${process.pid}.part`;
  try {
    await writeFile(part, text);
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}
