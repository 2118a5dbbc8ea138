// Every example runs as a user would run it: compiled, over the built package, in a process of its own.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';

const root = join(__dirname, '..', '..');
// Inside the package, so that its own name resolves.
const compiledDir = join(root, '.cache', 'examples');

beforeAll(() => mkdirSync(compiledDir, { recursive: true }));
afterAll(() => rmSync(compiledDir, { recursive: true, force: true }));

function run(name: string, input = '') {
  const source = readFileSync(join(root, 'examples', `${name}.ts`), 'utf8');
  const options = { module: ModuleKind.CommonJS, target: ScriptTarget.ES2022 };
  const compiled = join(compiledDir, `${name}.js`);
  writeFileSync(compiled, transpileModule(source, { compilerOptions: options }).outputText);
  const done = spawnSync(process.execPath, [compiled], { encoding: 'utf8', input, timeout: 60_000 });
  return { status: done.status, stderr: done.stderr, lines: done.stdout.trimEnd().split('\n') };
}

const countOf = (lines: string[], pattern: RegExp): number =>
  lines.filter((line) => pattern.test(line)).length;

const outcomes: Record<string, (lines: string[]) => void> = {
  'ai-sdk': (lines) => {
    expect(lines[0]).toMatch(/3776メートル.* \(\d+ tokens\)$/);
    expect(lines.slice(-2)).toEqual(['stop', expect.stringMatching(/^a vector of 256$/)]);
  },
  embeddings: (lines) => expect(countOf(lines, /^-?[01]\.\d{3} ./)).toBe(3),
  'logits-processor': (lines) => {
    expect(lines[0]).toMatch(/^digits: \d+$/);
    expect(lines[1]).toMatch(/^new tokens: (\d+) of \1$/);
  },
  quantize: (lines) => {
    expect(lines[0]).toMatch(/^100 %: \d+ bytes of \d+$/);
    expect(lines[1]).toMatch(/^divergence 0\.\d+, the same best token at [\d.]+ %$/);
  },
  sampling: (lines) => {
    expect(lines).toHaveLength(9);
    expect(lines[1]?.slice('drawn: '.length)).toBe(lines[2]?.slice('drawn again: '.length));
    expect(countOf(lines, /^beam search: ".*" \(-\d/)).toBe(2);
  },
  scoring: (lines) => {
    expect(countOf(lines, /, -?\d+\.\d\d a token$/)).toBe(3);
    expect(lines.slice(3)).toEqual(['next: "日本"', ...Array(3).fill(expect.stringContaining(' of "'))]);
  },
  server: (lines) => {
    expect(lines[0]).toMatch(/^\/text: .*3776メートル/);
    expect(lines[1]).toMatch(/^\/sse: data: \{"text":/);
    expect(lines.at(-1)).toMatch(/^data: \{"finishReason":"eos"/);
  },
  sessions: (lines) => {
    expect(lines[0]).toContain('3776メートル');
    expect(lines.at(-1)).toMatch(/^saved and restored at \d+: the same answer$/);
  },
  tokenizer: (lines) => {
    expect(lines[2]).toBe('decodes to itself');
    expect(lines[3]).toMatch(/^<\/s>: [2-9] tokens as text, 1 as itself$/);
    expect(JSON.parse(lines[4] ?? '').join('')).toBe('猫は🍣が好き。Cats, too.');
  },
  workers: (lines) => expect(lines[0]).toMatch(/^富士山の高さは\? .*3776メートル/),
  'quick-start': (lines) => expect(lines.at(-1)).toMatch(/^\d+ tokens, [\d.]+ tokens\/s$/),
  chat: (lines) => expect(lines.filter((line) => /^\(\d+ of \d+ tokens\)$/.test(line))).toHaveLength(2),
  minigpt4: (lines) => expect(lines.at(-1)).toMatch(/^\(\d+ of \d+ positions\)$/),
  abort: (lines) => expect(lines).toEqual(['break: cancelled', 'maxTime: time', 'abort: the user went away']),
};

test('every example is tested, short, and in the table', () => {
  const names = readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.ts'));
  const table = readFileSync(join(root, 'examples', 'README.md'), 'utf8');
  for (const name of names) {
    expect(table).toContain(`| [${name}](${name}) |`);
    expect(readFileSync(join(root, 'examples', name), 'utf8').split('\n').length).toBeLessThan(60);
  }
  expect(names.sort()).toEqual(
    Object.keys(outcomes)
      .map((name) => `${name}.ts`)
      .sort(),
  );
});

test.each(Object.keys(outcomes))('%s', (name) => {
  const { status, stderr, lines } = run(name, 'こんにちは\n富士山の高さは?\n');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  outcomes[name]?.(lines);
});
