// Runs the C++ test program once for each instruction set that this machine has, one Jest test per C++ test: all of them on
// the best set, those of numbers on every set.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const name = process.platform === 'win32' ? 'neox_test.exe' : 'neox_test';
const program = join(__dirname, '..', 'build-cmake', 'bin', name);

function run(args: string[], isa?: string) {
  const env = isa === undefined ? process.env : { ...process.env, NEOX_FORCE_ISA: isa };
  return spawnSync(program, args, { encoding: 'utf8', env, timeout: 300_000, maxBuffer: 1 << 26 });
}

function lines(args: string[]): string[] {
  const done = run(args);
  if (done.status !== 0) throw new Error(`${program} ${args}: ${done.error ?? done.stderr}. Run npm test.`);
  return done.stdout.split(/\r?\n/).filter(Boolean);
}

// Words of names, as the program takes them. Files, errors and the engine's order of events are the same on every set.
const numbers = [
  ...['kernels_', 'model_', 'quantize_rows', 'quantized_', 'kv_', '_bits', 'exp_', 'profile_', 'rope_of'],
  ...[
    'engine_result',
    'engine_generates',
    'engine_evicted',
    'shift_gives',
    'imatrix_collected',
    'no_bit',
    'bit_for_bit',
  ],
];
const tests = lines(['--list']);
const sets = lines(['--list-isa']).map((isa, i) => ({ isa, words: i === 0 ? [] : numbers }));

describe.each(sets)('C++ tests on $isa', ({ isa, words }) => {
  const results = new Map<string, string>();
  let active = '';
  let ending = '';

  beforeAll(() => {
    const done = run(words, isa);
    for (const line of done.stdout.split(/\r?\n/)) {
      const match = /^(?:ok|FAIL) (\w+)/.exec(line);
      if (match?.[1]) results.set(match[1], line);
    }
    active = done.stdout.split(/\r?\n/)[0] ?? '';
    const last = done.stdout.trimEnd().split('\n').at(-1);
    ending = `the program ended with ${done.signal ?? done.status}, last line: ${last}\n${done.stderr}`;
  }, 300_000);

  test('the forced instruction set is the one in use', () => {
    expect(active).toBe(`isa ${isa}`);
  });

  const isChosen = (test: string) => words.length === 0 || words.some((word) => test.includes(word));
  test.each(tests.filter(isChosen))('%s', (test) => {
    expect(results.get(test) ?? `${test} did not finish: ${ending}`).toBe(`ok ${test}`);
  });
});

test.each(numbers)('some test is named %s', (word) => {
  expect(tests.some((name) => name.includes(word))).toBe(true);
});

test('an unknown instruction set is an error, not a fallback', () => {
  const done = run([], 'no_such_isa');
  expect(done.status).toBe(2);
  expect(done.stdout).toMatch(/^ERR_NEOX_ISA: .*no_such_isa/);
});
