// Where a job writes: never over what it reads.

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { NeoxError } from './errors.js';

/**
 * @param source - a file, or a directory with a checkpoint; what is not there is left to its reader
 * @throws NeoxError `ERR_NEOX_IO` when `output` is `source`, or a file of it other than a .gguf, which no checkpoint is read from
 */
export function assertNotInput(source: string, output: string): void {
  if (!existsSync(output)) return;
  const written = statSync(output);
  if (!written.isFile()) return;
  for (const path of filesOf(source)) {
    const read = statSync(path, { throwIfNoEntry: false });
    if (read?.dev !== written.dev || read.ino !== written.ino) continue;
    const part = path === source ? 'the input itself' : `a file of the input '${source}'`;
    throw new NeoxError('ERR_NEOX_IO', `'${output}' is ${part}; give another name.`);
  }
}

function filesOf(source: string): string[] {
  if (!statSync(source, { throwIfNoEntry: false })?.isDirectory()) return [source];
  const names = readdirSync(source).filter((name) => !name.toLowerCase().endsWith('.gguf'));
  return names.map((name) => join(source, name));
}
