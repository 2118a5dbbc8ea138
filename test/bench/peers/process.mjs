// Runs a driver in a process group of its own, and watches it.

import { spawn, spawnSync } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readProcess, watchNoise } from './machine.mjs';

const drivers = resolve(dirname(fileURLToPath(import.meta.url)), 'drivers');
const POLL_MS = 20;
const MS_PER_TICK = 10;

/**
 * Runs a peer's driver and returns what its last line says, or `{ error }`, with the memory that it held at most, and what
 * else the machine did meanwhile. `task` is the driver's argument: README.md. After `seconds` it and all that it has started end.
 */
export async function runDriver(peer, path, task, seconds) {
  const [program, ...args] = commandOf(peer, path);
  const child = spawn(program, [...args, JSON.stringify({ ...task, ...peer.settings, path: path ?? null })], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
  });
  started.add(child);
  endWithUs();
  const begin = performance.now();
  const noiseOf = watchNoise(task.threads);
  const seen = { peakBytes: 0, anonymousBytes: 0, ticks: 0 };
  const look = () => {
    const now = child.pid === undefined ? null : readProcess(child.pid);
    for (const name of Object.keys(seen)) seen[name] = Math.max(seen[name], now?.[name] ?? 0);
  };
  const watcher = setInterval(look, POLL_MS);
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    endGroup(child);
  }, 1000 * seconds);
  const [out, err] = [collect(child.stdout), collect(child.stderr)];
  const ended = await new Promise((done) => {
    child.on('error', (error) => done(error.message));
    // What it left behind would run beside the next one, and keeps the pipes open.
    child.on('exit', () => endGroup(child));
    child.on('close', (code, signal) => done(code === 0 ? '' : (signal ?? `exit code ${code}`)));
  });
  clearInterval(watcher);
  clearTimeout(limit);
  started.delete(child);
  const { ticks, ...memory } = seen;
  const found = {
    wallSeconds: (performance.now() - begin) / 1000,
    peakBytes: memory.peakBytes || null,
    anonymousBytes: memory.anonymousBytes || null,
    noise: noiseOf(MS_PER_TICK * ticks),
  };
  if (isLate) return { ...found, error: `no answer within ${seconds} s` };
  if (ended !== '') return { ...found, error: `${ended}: ${reasonOf(err()) || lastLine(out())}` };
  return { ...answerOf(lastLine(out())), ...found };
}

/** What a driver says of its peer: `{ version }`, or `{ error }` where it is not installed. */
export async function probePeer(peer, path) {
  if (peer.isBuild && path === undefined) return { error: 'no build was named' };
  return runDriver(peer, path, { probe: true, threads: 1 }, 120);
}

const started = new Set();
let isWatched = false;

// A group of its own gets no Ctrl-C.
function endWithUs() {
  if (isWatched) return;
  isWatched = true;
  process.on('exit', () => {
    for (const child of started) endGroup(child);
  });
  for (const [signal, code] of Object.entries({ SIGHUP: 129, SIGINT: 130, SIGTERM: 143 })) {
    process.on(signal, () => process.exit(code));
  }
}

function endGroup({ pid }) {
  if (pid === undefined) return;
  if (process.platform === 'win32') spawnSync('taskkill', ['/pid', String(pid), '/t', '/f']);
  else {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // There is nobody left.
    }
  }
}

function commandOf(peer, path) {
  const driver = resolve(drivers, peer.driver);
  if (peer.runs === 'node') return [process.execPath, driver];
  return [path ?? (process.platform === 'win32' ? 'python' : 'python3'), driver];
}

const RATES = ['pp', 'tg', 'tgDepth', 'firstTokenSeconds'];

// Nothing but an object is an answer, and a speed is a number above 0, or null where it is not told.
function answerOf(line) {
  let answer;
  try {
    answer = JSON.parse(line);
  } catch {
    answer = undefined;
  }
  if (typeof answer !== 'object' || answer === null || typeof answer.version !== 'string') {
    return { error: `its last line is no answer: ${line.slice(0, 100)}` };
  }
  const bad = RATES.find((name) => !(answer[name] == null || (answer[name] > 0 && answer[name] < Infinity)));
  return bad === undefined ? answer : { error: `it tells ${JSON.stringify(answer[bad])} as ${bad}` };
}

function collect(stream) {
  const parts = [];
  stream.on('data', (data) => parts.push(data));
  return () => Buffer.concat(parts).toString('utf8');
}

// Node says its version behind an error, Python nothing.
function reasonOf(text) {
  const lines = text.trimEnd().split('\n');
  return lines.findLast((line) => /^\w*Error: /.test(line)) ?? lines.at(-1) ?? '';
}

function lastLine(text) {
  return text.trimEnd().split('\n').at(-1) ?? '';
}
