// The types that the page's comments declare, checked as an editor would.

import { spawnSync } from 'node:child_process';
import { type InstalledExample, installExample } from './installed-example.js';

let example: InstalledExample;
afterAll(() => example?.remove());

test('the page keeps to its types, and to those of the package', () => {
  example = installExample();
  const tsc = require.resolve('typescript/bin/tsc');
  const done = spawnSync(process.execPath, [tsc, '-p', 'jsconfig.json'], {
    cwd: example.folder,
    encoding: 'utf8',
  });
  expect(done.stdout).toBe('');
  expect(done.status).toBe(0);
}, 60_000);
