// Python's libraries as a second opinion, where they are at hand.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const python = process.env.NEOX_PYTHON ?? 'python3';

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

/** The lines that a script of test/python prints, as they come. */
export async function* lines(script: string, args: readonly string[]): AsyncGenerator<string> {
  const child = spawn(python, [join('test', 'python', script), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const exit = once(child, 'close');
  try {
    yield* createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY });
    const [status] = await exit;
    if (status !== 0) throw new Error(`${script}: ${stderr}`);
  } finally {
    child.kill();
  }
}

/** `test`, where a Python with this module is at hand; NEOX_PYTHON names one, python3 otherwise. */
export function testWhere(module: string): jest.It {
  if (spawnSync(python, ['-c', `import ${module}`]).status === 0) return test;
  // Not by console.warn: what a file says in which every test is skipped, Jest keeps to itself.
  process.stderr.write(
    `Skipped: ${python} lacks a module of ${module} (NEOX_PYTHON names another Python).\n`,
  );
  return test.skip;
}
