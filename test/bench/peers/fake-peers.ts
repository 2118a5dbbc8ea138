// Engines that are small scripts: they answer as they are told to, and write down that they ran.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What an engine does when it runs; `absent` is not installed. */
export type Mode =
  | 'answers'
  | 'fails'
  | 'hangs'
  | 'leaves'
  | 'rubbish'
  | 'other-ids'
  | 'other-logits'
  | 'absent';

const DRIVER = `
import { spawn } from 'node:child_process';
import { appendFileSync, writeFileSync } from 'node:fs';
const { probe, name, mode, log, speed, logitIds } = JSON.parse(process.argv.at(-1));
const child = () => {
  const { pid } = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
  writeFileSync(log + '.' + mode, String(pid));
};
if (mode === 'absent') throw new Error('Cannot find module fake');
if (probe) console.log(JSON.stringify({ version: name + ' 1.0' }));
else {
  appendFileSync(log, name + ' ');
  if (mode === 'fails') throw new Error('it is broken');
  if (mode === 'hangs' || mode === 'leaves') child();
  if (mode === 'hangs') await new Promise(() => setInterval(() => {}, 1000));
  if (mode === 'rubbish') console.log('Segmentation fault');
  else
    console.log(JSON.stringify({
      version: name + ' 1.0', precision: 'fast', loadSeconds: 0.1, firstTokenSeconds: 1 / speed,
      pp: 100 * speed, tg: 10 * speed, tgDepth: null,
      ids: mode === 'other-ids' ? [9, 9, 9] : [1, 2, 3],
      logits: mode === 'other-ids' ? null : logitIds.map((id) => Math.sin(id * (mode === 'other-logits' ? 3 : 1))),
    }));
  if (mode === 'leaves') process.exit(0);
}
`;

export interface FakePeers {
  folder: string;
  /** What `--peers` takes. */
  path: string;
  /** The names of those that ran, in order. */
  ran: () => string[];
  /** Of the process that an engine of this mode had started. */
  childOf: (mode: Mode) => number;
  remove: () => void;
}

/** The first one is this project's stand-in; each is 1.5 times as slow as the one before. */
export function makeFakePeers(modes: Readonly<Record<string, Mode>>): FakePeers {
  const folder = mkdtempSync(join(tmpdir(), 'neox-peers-'));
  const [path, log] = [join(folder, 'peers.mjs'), join(folder, 'ran')];
  writeFileSync(join(folder, 'driver.mjs'), DRIVER);
  writeFileSync(log, '');
  const peers = Object.entries(modes).map(([name, mode], index) => ({
    ...{ name, title: name, driver: join(folder, 'driver.mjs'), runs: 'node', input: 'gguf' },
    ...{ resident: 1, seconds: 1, install: `get ${name}` },
    ...(mode === 'hangs' ? { limit: 10 } : {}),
    settings: { name, mode, log, speed: 1.5 ** -index },
  }));
  writeFileSync(
    path,
    `export const PEERS = ${JSON.stringify(peers)}.map((peer) => ({ ...peer, types: () => true }));`,
  );
  return {
    folder,
    path,
    ran: () => readFileSync(log, 'utf8').split(' ').filter(Boolean),
    childOf: (mode) => Number(readFileSync(`${log}.${mode}`, 'utf8')),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
