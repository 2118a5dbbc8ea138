// Every storm, briefly; `npm run storms -- --long` runs them at length, with the figures of docs/reliability.md.

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const storms = readdirSync(__dirname)
  .filter((name) => name.endsWith('.mjs') && name !== 'storm.mjs')
  .map((name) => name.slice(0, -4));
const lines = new Map<string, string>();
let ending = '';

beforeAll(async () => {
  const script = join(__dirname, '..', '..', 'scripts', 'storms.mjs');
  // A group of its own, where there are such, so that a storm that hangs ends with the script.
  const isGroup = process.platform !== 'win32';
  const child = spawn(process.execPath, [script, '--built'], { detached: isGroup });
  const limit = setTimeout(() => {
    if (isGroup && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    else child.kill('SIGKILL');
  }, 150_000);
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      ending += text;
    });
  }
  await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(limit);
  for (const block of ending.split(/^(?=ok |FAILED )/m)) {
    const name = /^(?:ok|FAILED) (\w+)/.exec(block)?.[1];
    if (name) lines.set(name, block);
  }
}, 160_000);

test.each(storms)('%s', (name) => {
  expect(lines.get(name) ?? ending).toMatch(/^ok /);
});
