// The machine: what it is, what is free, and how much of it others take meanwhile.

import { spawnSync } from 'node:child_process';
import { readFileSync, statfsSync } from 'node:fs';
import os from 'node:os';
import { doubts, readMachine, Watch } from './dist.mjs';

/** What a page says of the machine, and what results are told apart by. */
export function describeMachine() {
  const [first] = os.cpus();
  return {
    cpu: first?.model.trim() ?? 'unknown processor',
    processors: os.cpus().length,
    memoryBytes: os.totalmem(),
    system: `${os.type()} ${os.release()}, Node.js ${process.versions.node}`,
  };
}

/** Bytes that a new process can have without swapping. */
export function freeMemory() {
  const available = readText('/proc/meminfo')?.match(/^MemAvailable:\s+(\d+) kB/m)?.[1];
  return available === undefined ? os.freemem() : 1024 * Number(available);
}

/**
 * Takes, touches and gives back memory, in a process of its own. Where a host takes idle memory of a virtual machine back, whoever
 * touches it first waits for the host, up to 30 times as long as for the page itself: engines with weights in memory of their own
 * would pay for what stood idle before.
 */
export function touchMemory(bytes) {
  const script = `const kept = [];
    for (let left = ${Math.ceil(bytes)}; left > 0; left -= 2 ** 30) kept.push(Buffer.alloc(Math.min(left, 2 ** 30), 1));`;
  spawnSync(process.execPath, ['-e', script], { stdio: 'ignore' });
}

export function freeDisk(folder) {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/**
 * Begins to watch; the function returned tells what happened since, beside a process that took `ownMs` of CPU time: cores that
 * others took, the share that the host took, and what the noise guard of `neox bench` makes of it.
 */
export function watchNoise(threads) {
  const load = os.loadavg()[0];
  const begin = readMachine();
  return (ownMs) => {
    const end = readMachine();
    const watch = new Watch();
    watch.add(begin, { ...end, own: end.own + ownMs });
    const { others, steal } = watch.disturbance;
    return { load, others, steal, doubts: doubts(null, { others, steal }, threads) };
  };
}

/**
 * Of a process and all that it has started: the largest peaks so far, and the processor time of all, also of children that have
 * ended. Null when it is gone or the system does not tell.
 */
export function readProcess(pid) {
  const own = readOne(pid);
  if (!own) return null;
  const children = readText(`/proc/${pid}/task/${pid}/children`)?.trim().split(' ') ?? [];
  const all = [own, ...children.filter(Boolean).map(readProcess)].filter((each) => each !== null);
  const largest = (name) => Math.max(...all.map((each) => each[name]));
  return {
    peakBytes: largest('peakBytes'),
    anonymousBytes: largest('anonymousBytes'),
    ticks: all.reduce((sum, { ticks }) => sum + ticks, 0),
  };
}

function readOne(pid) {
  const status = readText(`/proc/${pid}/status`);
  const stat = readText(`/proc/${pid}/stat`);
  if (!status || !stat) return null;
  const bytes = (name) => 1024 * Number(status.match(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm'))?.[1] ?? 0);
  // Behind the name, which is in brackets and may hold anything: state, 10 more fields, then user and system ticks, its own
  // and those of its children that have ended.
  const ticks = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 15)
    .map(Number);
  return {
    peakBytes: bytes('VmHWM'),
    anonymousBytes: bytes('RssAnon'),
    ticks: ticks.reduce((sum, each) => sum + each, 0),
  };
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
