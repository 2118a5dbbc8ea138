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

const outcomes: Record<string, (lines: string[]) => void> = {
  'quick-start': (lines) => expect(lines.at(-1)).toMatch(/^\d+ tokens, [\d.]+ tokens\/s$/),
  chat: (lines) => expect(lines.filter((line) => /^\(\d+ of \d+ tokens\)$/.test(line))).toHaveLength(2),
  minigpt4: (lines) => expect(lines.at(-1)).toMatch(/^\(\d+ of \d+ positions\)$/),
  abort: (lines) => expect(lines).toEqual(['break: cancelled', 'maxTime: time', 'abort: the user went away']),
};

test('every example is tested', () => {
  const names = readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.ts'));
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
