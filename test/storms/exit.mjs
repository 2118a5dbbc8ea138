// Processes that end while they generate: by process.exit(), by signals with and without a handler, by an error that nobody
// catches, by themselves; and the program `neox`, interrupted once and twice. Each ends as it should within 500 ms.

import { spawn } from 'node:child_process';
import { expect, moment, random, rounds, settings, storm } from './storm.mjs';

// Programs with sanitizers take their time, and so does a machine that runs other tests beside this one.
const LIMIT_MS = settings.isSlow ? 5000 : settings.isShort ? 2000 : 500;

const program = ({ setup = '', ending = '' }) => `
  const settings = JSON.parse(process.env.NEOX_STORM);
  const neox = require(settings.package);
  const { writeSync } = require('node:fs');
  ${setup}
  (async () => {
    const model = await neox.Model.load(settings.gguf);
    const prompt = Int32Array.from({ length: 300 }, (_, index) => (index * 7919 + 13) % 128);
    const forever = async () => { for (;;) await model.generate(prompt, { temperature: 0, eosTokenId: null, maxNewTokens: 60 }).result(); };
    setTimeout(() => { writeSync(1, 'ready'); ${ending} }, ${(2 + 40 * random()).toFixed(2)});
    await forever();
  })();`;

/** What the program does, what is sent to it, and how it must end. */
const endings = {
  exit: { ending: 'process.exit(7);', code: 7 },
  'exit code set by a handler': {
    setup: "process.on('exit', () => { process.exitCode = 9; });",
    ending: 'process.exit();',
    code: 9,
  },
  'uncaught exception': { ending: "throw new Error('boom');", code: 1, stderr: /Error: boom/ },
  'unhandled rejection': { ending: "Promise.reject(new Error('boom'));", code: 1, stderr: /Error: boom/ },
  SIGINT: { send: ['SIGINT'], signal: 'SIGINT' },
  SIGTERM: { send: ['SIGTERM'], signal: 'SIGTERM' },
  'SIGINT with a handler': {
    setup: "process.on('SIGINT', () => process.exit(130));",
    send: ['SIGINT'],
    code: 130,
  },
  'SIGTERM with a handler': {
    setup: "process.on('SIGTERM', () => process.exit(143));",
    send: ['SIGTERM'],
    code: 143,
  },
  'neox, SIGINT': { cli: true, send: ['SIGINT'], code: 130 },
  'neox, SIGINT twice': { cli: true, send: ['SIGINT', 'SIGINT'], code: 130 },
};
// Windows has no signals to send.
const names = Object.keys(endings).filter((name) => process.platform !== 'win32' || !endings[name].send);

const endless = 'run -q --raw --temperature 0 --eos-token-id none -c 30000 -n 29000 -m'
  .split(' ')
  .concat(settings.gguf, 'abc');
let slowestMs = 0;

async function endOne(name) {
  const how = endings[name];
  const { cli, send = [], code = null, signal = null, stderr = cli ? /^(neox: .*\n)*$/ : /^$/ } = how;
  const args = cli ? [settings.cli, ...endless] : ['-e', program(how)];
  const env = { ...process.env, NEOX_STORM: process.argv[2], NODE_NO_WARNINGS: '1' };
  const child = spawn(process.execPath, args, { env, timeout: 30_000 });
  let errors = '';
  let ready;
  child.stderr.on('data', (text) => {
    errors += text;
  });
  const begun = new Promise((resolve) =>
    child.stdout.on('data', () => {
      ready ??= performance.now();
      resolve();
    }),
  );
  const ended = new Promise((resolve) => child.once('exit', (...by) => resolve([...by, performance.now()])));
  const closed = new Promise((resolve) => child.once('close', resolve)); // all of stderr has come
  await Promise.race([begun, ended]);
  expect(ready !== undefined, `${name}: a process that began: ${errors}`);
  let from = ready;
  for (const each of send) {
    await moment(20);
    if (child.exitCode !== null || child.signalCode !== null) break;
    from = performance.now();
    child.kill(each);
  }
  const [exitCode, exitSignal, at] = await ended;
  await closed;
  expect(
    exitCode === code && exitSignal === signal,
    `${name}: ${code ?? signal}, not ${exitCode ?? exitSignal}: ${errors}`,
  );
  expect(stderr.test(errors), `${name}: ${stderr} on stderr, not ${errors}`);
  expect(!/Sanitizer|runtime error:/.test(errors), `${name}: no report, not ${errors}`);
  expect(at - from <= LIMIT_MS, `${name}: an end within ${LIMIT_MS} ms, not ${at - from}`);
  slowestMs = Math.max(slowestMs, at - from);
}

await storm(
  async (count) => {
    slowestMs = 0;
    await rounds(count, 2, (index) => endOne(names[index % names.length]));
    return { slowestMs };
  },
  // A process that starts others settles only after many of them.
  { warmUp: Math.min(100, Math.max(10, Math.ceil(settings.count / 2))) },
);
