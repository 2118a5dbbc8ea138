// Runs a driver in a process of its own, and watches it.

import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readProcess, watchNoise } from './machine.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const POLL_MS = 20;

/**
 * Runs a peer's driver and returns what its last line says, or `{ error }`, with the memory that it held at most, and what
 * else the machine did meanwhile. `task` is the driver's argument: README.md.
 */
export async function runDriver(peer, path, task, seconds) {
  const [program, ...args] = commandOf(peer, path);
  const child = spawn(program, [...args, JSON.stringify({ ...task, ...peer.settings, path: path ?? null })], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const begin = performance.now();
  const noiseOf = watchNoise();
  const seen = { peakBytes: 0, anonymousBytes: 0, ticks: 0 };
  const look = () => {
    const now = child.pid === undefined ? null : readProcess(child.pid);
    for (const name of Object.keys(seen)) seen[name] = Math.max(seen[name], now?.[name] ?? 0);
  };
  const watcher = setInterval(look, POLL_MS);
  const limit = setTimeout(() => child.kill('SIGKILL'), 1000 * seconds);
  const [out, err] = [collect(child.stdout), collect(child.stderr)];
  const ended = await new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(code === 0 ? '' : (signal ?? `exit code ${code}`)));
  });
  clearInterval(watcher);
  clearTimeout(limit);
  const { ticks, ...memory } = seen;
  const found = {
    wallSeconds: (performance.now() - begin) / 1000,
    peakBytes: memory.peakBytes || null,
    anonymousBytes: memory.anonymousBytes || null,
    noise: noiseOf(ticks),
  };
  if (ended !== '') return { ...found, error: `${ended}: ${lastLine(err()) || lastLine(out())}` };
  try {
    return { ...JSON.parse(lastLine(out())), ...found };
  } catch {
    return { ...found, error: `no JSON on the last line: ${lastLine(out())}` };
  }
}

/** What a driver says of its peer: `{ version }`, or `{ error }` where it is not installed. */
export async function probePeer(peer, path) {
  if (peer.isBuild && path === undefined) return { error: 'no build was named' };
  return runDriver(peer, path, { probe: true }, 120);
}

function commandOf(peer, path) {
  const driver = join(here, 'drivers', peer.driver);
  if (peer.runs === 'node') return [process.execPath, driver];
  return [path ?? (process.platform === 'win32' ? 'python' : 'python3'), driver];
}

function collect(stream) {
  const parts = [];
  stream.on('data', (data) => parts.push(data));
  return () => Buffer.concat(parts).toString('utf8');
}

function lastLine(text) {
  return text.trimEnd().split('\n').at(-1) ?? '';
}
