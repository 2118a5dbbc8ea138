// The example's main process and host, on a stand-in for Electron: who gets a port, which models are offered, and what is left
// after the host has died.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { demoModelPath } from '../../lib/index.js';
import { type InstalledExample, installExample } from './installed-example.js';

const ANSWER = '富士山の高さは3776メートルです。';
const COMMIT = '0123456789abcdef0123456789abcdef01234567';
let example: InstalledExample;
let cache: string;

beforeAll(() => {
  example = installExample();
  const electron = join(example.folder, 'node_modules', 'electron');
  cpSync(join(__dirname, 'stand-in'), electron, { recursive: true });
  writeFileSync(join(electron, 'package.json'), '{ "name": "electron", "main": "electron.mjs" }');
  cache = join(example.folder, 'cache');
  pulled('example/one', { 'model.gguf': demoModelPath() });
  pulled('example/several', { 'a.gguf': demoModelPath(), 'b/c.gguf': demoModelPath() });
  pulled('example/one-broken', { 'good.gguf': demoModelPath(), 'bad.gguf': 'no model at all' });
  pulled('example/other', { 'config.json': '{ "model_type": "bert" }' });
});
afterAll(() => example?.remove());

/** Contents that are no path are written as they are. */
function pulled(repo: string, files: Record<string, string>): void {
  const folder = join(cache, `models--${repo.replace('/', '--')}`);
  mkdirSync(join(folder, 'refs'), { recursive: true });
  writeFileSync(join(folder, 'refs', 'main'), COMMIT);
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, 'snapshots', COMMIT, name);
    mkdirSync(join(path, '..'), { recursive: true });
    if (content === demoModelPath()) cpSync(content, path);
    else writeFileSync(path, content);
  }
}

function play(name: string, { path = '', env = {} } = {}): Record<string, unknown> {
  const script = join(example.folder, 'node_modules', 'electron', 'drive.mjs');
  const done = spawnSync(process.execPath, [script, name, path], {
    encoding: 'utf8',
    timeout: 25_000,
    env: {
      ...process.env,
      HF_HUB_CACHE: cache,
      USER_DATA: mkdtempSync(join(example.folder, 'user-')),
      ...env,
    },
  });
  expect({ status: done.status, stderr: done.stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(done.stdout);
}

test('what was pulled is offered, file by file where a repository has several', () => {
  const ids = [
    ...['demo', 'example/one', 'example/one-broken:good.gguf'],
    ...['example/several:a.gguf', 'example/several:b/c.gguf'],
  ];
  const { texts, isForeignServed } = play('models');
  expect(texts).toEqual(Object.fromEntries(ids.map((id) => [id, ANSWER])));
  expect(isForeignServed).toBe(false);
});

test('a page has one port: with the next one the first ends, and what ran on it', () => {
  expect(play('ports')).toEqual({
    ...{ cut: 'ERR_NEOX_DISPOSED', refused: 'ERR_NEOX_DISPOSED' },
    ...{ second: ANSWER, neighbour: ANSWER },
  });
});

test('when the host has died, the page is told, and the next one knows the models that the user added', () => {
  const path = join(example.folder, 'own.gguf');
  cpSync(demoModelPath(), path);
  const { id, offered, ...rest } = play('restart', { path });
  expect(rest).toEqual({
    ...{ again: id, added: ANSWER, restarted: ANSWER, refused: 'ERR_NEOX_DISPOSED' },
    told: [['neox:host-exit', expect.any(Number)]],
  });
  expect((offered as string[]).filter((each) => each === id)).toHaveLength(1);
});

test('pulled models that take long to inspect keep no page waiting', () => {
  expect(play('stalled', { env: { STALLED: '1' } })).toEqual({ offered: ['demo'], text: ANSWER });
});

test('the next port of a page waits until what ran on the last has ended, and only the newest waits', () => {
  expect(play('hoarding', { env: { STALLED: '1' } })).toEqual({
    ...{ cut: 'ERR_NEOX_DISPOSED', replaced: 'ERR_NEOX_DISPOSED' },
    firstAnswer: ANSWER,
  });
});
