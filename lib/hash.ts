// Node's hashes, loaded on first use: their module takes 5 ms, and most programs never need it.

import type { Hash } from 'node:crypto';

export function createHash(name: 'sha256' | 'sha1' | 'md5'): Hash {
  const crypto = require('node:crypto') as typeof import('node:crypto');
  return crypto.createHash(name);
}
