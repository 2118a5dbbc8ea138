// `npm run prebuild -- --sizes`: how large the binaries that are there are, and the package with them.

import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { npmCommand, root, StepError } from '../steps.mjs';
import { targets } from './targets.mjs';

/** The most that the package may have, in bytes. */
export const limits = { packed: 25e6, unpacked: 60e6 };

/** Prints the sizes; the exit code is 1 where the package is larger than its limits. */
export function printSizes() {
  for (const { name, file } of targets) {
    const path = join(root, file);
    const size = existsSync(path) ? `${megabytes(statSync(path).size)} MB` : 'not built';
    process.stdout.write(`${name.padEnd(18)} ${size.padStart(10)}  ${file}\n`);
  }
  const { size, unpackedSize, entryCount } = packageSizes();
  const limit = (bytes) => `at most ${bytes / 1e6} MB`;
  process.stdout.write(`${'packed'.padEnd(18)} ${megabytes(size)} MB, ${limit(limits.packed)}\n`);
  process.stdout.write(
    `${'unpacked'.padEnd(18)} ${megabytes(unpackedSize)} MB, ${limit(limits.unpacked)}, ${entryCount} files\n`,
  );
  return size <= limits.packed && unpackedSize <= limits.unpacked ? 0 : 1;
}

function packageSizes() {
  const [command, args, options] = npmCommand(['pack', '--dry-run', '--json', '--ignore-scripts']);
  const done = spawnSync(command, args, { ...options, cwd: root, encoding: 'utf8', maxBuffer: 64 << 20 });
  if (done.status !== 0) throw new StepError(`npm pack failed: ${done.stderr}`);
  return JSON.parse(done.stdout)[0];
}

function megabytes(bytes) {
  return (bytes / 1e6).toFixed(2);
}
