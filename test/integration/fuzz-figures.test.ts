// docs/reliability.md has the table that scripts/fuzz.mjs makes of the recorded figures, and names what exists.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');
const page = readFileSync(join(root, 'docs', 'reliability.md'), 'utf8');

test('the table of figures is the generated one', () => {
  const script = "import { table } from './scripts/fuzz_figures.mjs'; process.stdout.write(table());";
  const made = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(made.stdout).toContain('| target |');
  expect(page).toContain(made.stdout);
});

test('the number of hostile files is right', () => {
  const table: { code: string }[] = JSON.parse(
    readFileSync(join(root, 'test', 'fixtures', 'hostile', 'expected.json'), 'utf8'),
  );
  const hostile = table.filter(({ code }) => code !== 'OK').length;
  expect(page).toContain(`| ${hostile} hostile files,`);
});

test('every file that the page names is there', () => {
  const named = [...page.matchAll(/`((?:test|scripts|native|lib)\/[\w./-]+\.\w+)`/g)].map(
    (match) => match[1] ?? '',
  );
  expect(named.length).toBeGreaterThan(5);
  for (const file of named) expect(`${file} ${existsSync(join(root, file))}`).toBe(`${file} true`);
});
