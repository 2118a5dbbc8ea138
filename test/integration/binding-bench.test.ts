// The bench of the binding in short: it runs, prints both figures, and they are of the right size. The goals are 50 us a
// token and a delay of 5 ms; this machine may be busy with other tests, so what is asked here is less, of one run in two.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');
const OVERHEAD_US = 300;
const DELAY_MS = 50;

function measure() {
  const bench = join(root, 'test', 'bench', 'binding.mjs');
  const done = spawnSync(process.execPath, [bench, '--short'], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect({ status: done.status, stderr: done.stderr }).toEqual({ status: 0, stderr: '' });
  const rows = done.stdout.split('\n').map((line) => line.split(/ {2,}/));
  const overheads = rows.filter(([name]) => name === 'demo');
  expect(overheads.map(([, , sequences]) => sequences)).toEqual(['1', '8']);
  const delays = rows.filter(([name]) => name?.includes('generate'));
  expect(delays).toHaveLength(2);
  console.log(done.stdout);
  return {
    overheadUs: Math.max(...overheads.map(([, , , , , above]) => Number(above))),
    delayMs: Math.max(...delays.map(([, , p99]) => Number(p99))),
  };
}

test('a token costs little more than the engine takes for it, and the event loop goes on', () => {
  let { overheadUs, delayMs } = measure();
  if (!(overheadUs < OVERHEAD_US && delayMs < DELAY_MS)) ({ overheadUs, delayMs } = measure());
  expect(overheadUs).toBeLessThan(OVERHEAD_US);
  expect(delayMs).toBeLessThan(DELAY_MS);
}, 120_000);
