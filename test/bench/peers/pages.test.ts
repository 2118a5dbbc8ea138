// The pages of fixed results.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

test.each(['fixed_page', 'fixed_accuracy'])('%s.md is what its script writes', (name) => {
  const { stdout, stderr } = spawnSync(process.execPath, [join(__dirname, `${name}.mjs`)], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(stdout).toBe(readFileSync(join(__dirname, `${name}.md`), 'utf8'));
});
