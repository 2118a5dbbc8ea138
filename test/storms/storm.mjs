// What every storm has: random numbers from its seed, the package, and the memory that the process holds before and after.
// A storm is a program: scripts/storms.mjs runs it in a process of its own with one argument, its settings.

import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

/** `{ package, cli, gguf, checkpoint, folder, count, seed, addon, isSlow, isShort }` */
export const settings = JSON.parse(process.argv[2]);
export const neox = createRequire(import.meta.url)(settings.package);
export const greedy = { temperature: 0, eosTokenId: null };

let state = settings.seed | 0;

/** A number in [0, 1). mulberry32. */
export function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

/** An integer from `low` to `high`. */
export const between = (low, high) => low + Math.floor(random() * (high - low + 1));
export const pick = (list) => list[between(0, list.length - 1)];

/** Waits for a moment: now, a turn or two of the event loop, or up to `mostMs`, short moments as likely as long ones. */
export async function moment(mostMs) {
  const kind = random();
  if (kind < 0.1) return;
  if (kind < 0.3) return void (await nextTurn());
  await sleep(Math.exp(Math.log(0.05) + random() * Math.log(mostMs / 0.05)));
}

/** Ids that both models have, of 128 and of 2,560 tokens. */
export const promptOf = (length) => Int32Array.from({ length }, () => between(0, 127));

export function expect(condition, what) {
  if (!condition) throw new Error(`seed ${settings.seed}: expected ${what}`);
}

/** What a promise rejects with; undefined when it resolves. */
export async function rejection(promise) {
  try {
    await promise;
  } catch (error) {
    return error ?? new Error('nothing');
  }
  return undefined;
}

/** Rejects unless the promise resolves or rejects with one of the codes. Resolves with the code, or 'ok'. */
export async function outcome(promise, ...codes) {
  const error = await rejection(promise);
  if (error === undefined) return 'ok';
  if (!codes.includes(error.code)) throw error;
  return error.code;
}

/** Runs `round(index)` `count` times, `lanes` at a time. A round that resolves with false is not counted. */
export async function rounds(count, lanes, round) {
  let begun = 0;
  let wasted = 0;
  const lane = async () => {
    while (begun - wasted < count) {
      if ((await round(begun++)) === false) wasted++;
      if (wasted > 20 * count + 200) throw new Error('Almost no round is what it should be.');
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return { wasted };
}

/** Threads of the process; 0 where the system does not say. */
export const threadCount = () => (process.platform === 'linux' ? readdirSync('/proc/self/task').length : 0);

/** Frees what nobody holds, then reads the resident memory in bytes: the least of several looks. */
export async function restingMemory() {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 12; look++) {
    globalThis.gc();
    await sleep(25);
    least = Math.min(least, process.memoryUsage.rss());
  }
  return least;
}

/**
 * The whole of a storm: its work as a warm-up, then counted, and memory and threads measured after both.
 * Prints one line of JSON. The process must end by itself after it.
 * @param work - `(count) => Promise<object | void>`; what it gives is printed
 */
export async function storm(
  work,
  { warmUp = Math.min(1000, Math.max(40, Math.ceil(settings.count / 5))) } = {},
) {
  neox.systemInfo();
  if (process.platform === 'linux')
    expect(readFileSync('/proc/self/maps', 'utf8').includes(settings.addon), `the addon ${settings.addon}`);
  await work(warmUp);
  const before = { rss: await restingMemory(), threads: threadCount() };
  const begin = performance.now();
  const found = await work(settings.count);
  const seconds = (performance.now() - begin) / 1000;
  const after = { rss: await restingMemory(), threads: threadCount() };
  const report = { count: settings.count, seconds, before, after, ...found };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
