// `npm run format`: biome for TypeScript, scripts and JSON; clang-format 14 for C++ where it is installed. Other versions of it
// lay out some constructs otherwise, and are left alone.

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { firstLine, root, runMain } from './steps.mjs';

function main() {
  const biome = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome');
  const run = (command, args) => spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status ?? 1;
  const status = run(process.execPath, [biome, 'check', '--write']);
  if (!firstLine('clang-format')?.includes('version 14.')) {
    process.stderr.write('clang-format 14 is not installed; the C++ files were left as they are.\n');
    return status;
  }
  const listed = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '*.cpp', '*.h'], {
    cwd: root,
    encoding: 'utf8',
  });
  const files = listed.stdout.split('\n').filter(Boolean);
  return status || run('clang-format', ['-i', ...files.map((file) => join(root, file))]);
}

await runMain(main);
