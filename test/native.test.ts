// Runs the C++ test program once for each instruction set that this machine has, one Jest test per C++ test: all of them on
// the best set, those of numbers on every set.

import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';

const name = process.platform === 'win32' ? 'neox_test.exe' : 'neox_test';
const program = join(__dirname, '..', 'build-cmake', 'bin', name);

function lines(args: string[]): string[] {
  const done = spawnSync(program, args, { encoding: 'utf8' });
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
const [best = '', ...others] = lines(['--list-isa']);
const sets = [{ isa: best, words: [] as string[] }, ...others.map((isa) => ({ isa, words: numbers }))];

interface Outcome {
  stdout: string;
  stderr: string;
  end: number | string | null;
}

function run(isa: string, words: string[]): Promise<Outcome> {
  const env = { ...process.env, NEOX_FORCE_ISA: isa };
  const child = spawn(program, words, { env, timeout: 600_000, stdio: ['ignore', 'pipe', 'pipe'] });
  const outcome: Outcome = { stdout: '', stderr: '', end: null };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      outcome[stream] += text;
    });
  }
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ ...outcome, end: error.message }));
    child.on('close', (code, signal) => resolve({ ...outcome, end: signal ?? code }));
  });
}

let ofOthers: Map<string, Promise<Outcome>> | undefined;

/** The best set runs alone, since its tests measure time, too; the others run at once. */
function outcomeOf(isa: string): Promise<Outcome> {
  if (isa === best) return run(isa, []);
  ofOthers ??= new Map(others.map((each) => [each, run(each, numbers)]));
  return ofOthers.get(isa) as Promise<Outcome>;
}

describe.each(sets)('C++ tests on $isa', ({ isa, words }) => {
  const results = new Map<string, string>();
  let active = '';
  let ending = '';

  beforeAll(async () => {
    const done = await outcomeOf(isa);
    for (const line of done.stdout.split(/\r?\n/)) {
      const match = /^(?:ok|FAIL) (\w+)/.exec(line);
      if (match?.[1]) results.set(match[1], line);
    }
    active = done.stdout.split(/\r?\n/)[0] ?? '';
    const last = done.stdout.trimEnd().split('\n').at(-1);
    ending = `the program ended with ${done.end}, last line: ${last}\n${done.stderr}`;
  }, 610_000);

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
  const env = { ...process.env, NEOX_FORCE_ISA: 'no_such_isa' };
  const done = spawnSync(program, { encoding: 'utf8', env });
  expect(done.status).toBe(2);
  expect(done.stdout).toMatch(/^ERR_NEOX_ISA: .*no_such_isa/);
});
