// What the page consists of: the files in page/, and the client of gpt-neox. There is nothing else that it could load.

import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('page', import.meta.url));
const client = fileURLToPath(import.meta.resolve('gpt-neox/electron-client'));

const types = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * @param {string} pathname - of a URL
 * @returns {Promise<{ body: Buffer, type: string } | undefined>} undefined where there is no such file
 */
export async function readPageFile(pathname) {
  if (pathname === '/gpt-neox.mjs') return { body: await readFile(client), type: types['.mjs'] };
  const [, name] = /^\/([a-z-]+\.[a-z]+)$/.exec(pathname) ?? [];
  const type = name && types[extname(name)];
  if (!name || !type) return undefined;
  try {
    return { body: await readFile(join(folder, name)), type };
  } catch {
    return undefined;
  }
}
