// Runs the tests of the CUDA kernels on the CPU (native/cuda/host), one Jest test per C++ test.

import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';

const program = join(__dirname, '..', 'build-cmake', 'bin', 'neox_cuda_test');

function names(): string[] {
  const done = spawnSync(program, ['--list'], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${program} --list: ${done.error ?? done.stderr}. Run npm test.`);
  return done.stdout.split('\n').filter(Boolean);
}

if (process.platform !== 'linux') {
  test('runs on Linux alone', () => {
    console.log('skipped: kernels of CUDA are emulated on Linux alone (fibers by ucontext)');
  });
} else {
  describe('CUDA kernels, emulated', () => {
    const results = new Map<string, string>();
    let ending = '';

    beforeAll(async () => {
      const child = spawn(program, { timeout: 300_000, stdio: ['ignore', 'pipe', 'pipe'] });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text;
        });
      }
      const end = await new Promise((resolve) => {
        child.on('error', (error) => resolve(error.message));
        child.on('close', (code, signal) => resolve(signal ?? code));
      });
      for (const line of output.split('\n')) {
        const match = /^(?:ok|FAIL) (\w+)/.exec(line);
        if (match?.[1]) results.set(match[1], line);
      }
      ending = `the program ended with ${end}, last lines: ${output.slice(-500)}`;
    }, 310_000);

    test.each(names())('%s', (name) => {
      expect(results.get(name) ?? `${name} did not finish: ${ending}`).toBe(`ok ${name}`);
    });
  });
}
