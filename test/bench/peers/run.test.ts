// `npm run bench:peers` with engines that are small scripts.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FakePeers, type Mode, makeFakePeers } from './fake-peers.js';

jest.setTimeout(120_000); // many short processes, beside other tests

let fake: FakePeers;
afterEach(() => fake.remove());

function use(modes: Readonly<Record<string, Mode>>): void {
  fake = makeFakePeers({ 'gpt-neox': 'answers', ...modes });
}

function bench(...args: readonly string[]) {
  const fixed = ['--peers', fake.path, '--models', fake.folder, '--page', join(fake.folder, 'page.md')];
  const small = [
    '--shape',
    'tiny',
    '--threads',
    '1',
    '--prompt',
    '8',
    '--gen',
    '4',
    '--depth',
    '0',
    '--no-ceilings',
  ];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(__dirname, 'run.mjs'), ...fixed, ...small, ...args],
    { encoding: 'utf8', timeout: 55_000, killSignal: 'SIGKILL' },
  );
  return { status, stdout, stderr };
}

const page = () => readFileSync(join(fake.folder, 'page.md'), 'utf8');
const rowsOf = (engine: string, weights: string) =>
  page()
    .split('\n')
    .filter(
      (line) => line.startsWith(`| ${weights} | ${engine}`) || line.startsWith(`| ${engine} | ${weights}`),
    );

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true; // a system without /proc
  }
};

test('each round begins with another engine, and a second call runs what is missing', () => {
  use({ b: 'answers', c: 'answers' });
  const { status, stderr } = bench('--types', 'q8_0', '--rounds', '2');
  expect(stderr).toMatch(/^6 runs: about/m);
  expect(status).toBe(0);
  expect(fake.ran()).toEqual(['gpt-neox', 'b', 'c', 'b', 'c', 'gpt-neox']);
  expect(rowsOf('b', 'Q8_0')[0]).toMatch(
    /^\| Q8_0 \| b \| 66\.7 \| 0\.0 % \| 0\.67 \| 1\.50 x \| {2}\| 2[ ,]/,
  );

  // A line that a crash cut off is one run less, and does not take the next one with it.
  const results = join(fake.folder, 'results.jsonl');
  const lines = readFileSync(results, 'utf8').split('\n');
  writeFileSync(results, [...lines.slice(0, 4), lines[4]?.slice(0, 40)].join('\n'));
  expect(bench('--types', 'Q8_0', '--rounds', '3').stderr).toMatch(/^5 runs/m);
  expect(fake.ran().slice(6)).toEqual(['c', 'gpt-neox', 'c', 'gpt-neox', 'b']);

  const plan = bench('--types', 'Q8_0,Q4_0', '--rounds', '3', '--plan');
  expect(plan.stdout).toMatch(
    /^Q8_0 +0 runs +0 s\nQ4_0 +9 runs.*\nin all +9 runs.*\n9 of the 9 are estimated from runs/,
  );
  expect(fake.ran()).toHaveLength(11);
});

test('engines that fail, hang, leave something running, print rubbish or are absent are named', () => {
  use({ broken: 'fails', stuck: 'hangs', messy: 'leaves', loud: 'rubbish', none: 'absent' });
  const { status, stderr } = bench('--types', 'Q8_0', '--rounds', '2');
  expect(status).toBe(0);
  expect(stderr).toMatch(/none: not run .*; get none/);
  // One that failed is not tried again, the others go on.
  expect([...fake.ran()].sort()).toEqual([
    'broken',
    'gpt-neox',
    'gpt-neox',
    'loud',
    'messy',
    'messy',
    'stuck',
  ]);
  if (process.platform !== 'win32') {
    expect(isAlive(fake.childOf('hangs'))).toBe(false);
    expect(isAlive(fake.childOf('leaves'))).toBe(false);
  }
  expect(rowsOf('broken', 'Q8_0')).toEqual([
    '| broken | Q8_0 | failed in round 1: exit code 1: Error: it is broken |  |',
  ]);
  expect(rowsOf('stuck', 'Q8_0')).toEqual(['| stuck | Q8_0 | failed in round 1: no answer within 10 s |  |']);
  expect(rowsOf('loud', 'Q8_0')[0]).toContain('its last line is no answer: Segmentation fault');
  expect(rowsOf('none', 'all')).toEqual(['| none | all | not installed | `get none` |']);
  expect(rowsOf('messy', 'Q8_0')[0]).toMatch(/\| 2[ ,]/);
});

test('an engine that computes something else gets no ratio', () => {
  use({ ids: 'other-ids', logits: 'other-logits', same: 'answers' });
  expect(bench('--types', 'Q8_0', '--rounds', '1').status).toBe(0);
  expect(rowsOf('logits', 'Q8_0')[0]).toMatch(/\(another network\) \| [\d.]+ \| - \| - \| - \|/);
  expect(rowsOf('logits', 'Q8_0').at(-1)).toContain('**another network**');
  // Ids alone exclude none: those of random weights turn at the smallest difference.
  expect(rowsOf('ids', 'Q8_0')[0]).toMatch(/\| ids \| [\d.]+ \| - \| 0\.67 \| 1\.50 x \| {2}\|/);
  expect(rowsOf('ids', 'Q8_0').at(-1)).toBe('| Q8_0 | ids | ids alone: 0 of 3 | - | 0 of 3 |');
  expect(rowsOf('same', 'Q8_0').at(-1)).toBe('| Q8_0 | same | the same network | 0.0 % | 3 of 3 |');
  expect(page()).toMatch(/^\| Q8_0 \| 1\.50 x \(ids\)/m);
});

test('what cannot be meant is told with exit code 2, and nothing runs', () => {
  use({});
  for (const [args, message] of [
    [['--rounds', '0'], /--rounds takes a whole number from 1/],
    [['--types', 'Q8_0,Q9'], /--types takes a list of F32, .*; 'Q9' is none of them/],
    [['--only', 'torch'], /--only takes a list of gpt-neox; 'torch'/],
    [['--with', 'gpt-neox'], /--with takes <peer>=<path>, not 'gpt-neox'/],
    [['--page', join('absent', 'page.md')], /--page: its folder cannot be written to/],
    [['--page', '.'], /--page takes a file; '.' is a folder/],
    [['--shape', '7b'], /--shape takes one of 3\.6b/],
    [['--rouns', '1'], /--rouns.*\n.*--help lists the options/],
  ] as const) {
    const { status, stdout, stderr } = bench(...args);
    expect(stderr).toMatch(message);
    expect([status, stdout]).toEqual([2, '']);
  }
  expect(fake.ran()).toEqual([]);
});
