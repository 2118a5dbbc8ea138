// Python's libraries as a second opinion, where they are at hand.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const python = process.env.NEOX_PYTHON ?? 'python3';

/** What a script of test/python prints. */
export function run(script: string, args: readonly string[] = [], input = ''): string {
  const done = spawnSync(python, [join('test', 'python', script), ...args], {
    encoding: 'utf8',
    input,
    maxBuffer: 1 << 28,
  });
  if (done.status !== 0) throw new Error(`${script}: ${done.stderr}`);
  return done.stdout;
}

/** `test`, where a Python with this module is at hand; NEOX_PYTHON names one, python3 otherwise. */
export function testWhere(module: string): jest.It {
  if (spawnSync(python, ['-c', `import ${module}`]).status === 0) return test;
  console.warn(`Skipped: ${python} has no module ${module} (set NEOX_PYTHON to one that has it).`);
  return test.skip;
}
