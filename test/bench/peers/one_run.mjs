// One run of one peer on one type: its model, the machine's ceilings, memory that the machine has, a warm page cache, and a fresh
// process.

import { bestCeilings, ceilingsNow, modelCost, neox } from './dist.mjs';
import { freeMemory, touchMemory } from './machine.mjs';
import { gigabytes, prepareInput, readAll, sizeOf } from './models.mjs';
import { OURS } from './peers.mjs';
import { runDriver } from './process.mjs';
import { failureOf } from './results.mjs';
import { taskOf } from './task.mjs';

const SPARE = 5e8; // bytes of memory that stay free

/** What a run tells, or `{ error }`; `seconds` is the time of all but making the model. */
export async function runOne(peer, type, pathOf, guess, options) {
  let path;
  try {
    path = await prepareInput(peer, type, options, pathOf);
  } catch (error) {
    return failureOf(error);
  }
  const fileBytes = sizeOf(path);
  const resident = peer.resident * fileBytes;
  const needed = resident + SPARE;
  const free = freeMemory();
  if (needed > free) return { error: `needs ${gigabytes(needed)} of memory; ${gigabytes(free)} are free` };
  const begin = performance.now();
  const isOurs = peer.name === OURS;
  const ceilings = async () => (isOurs && options.ceilings ? [await ceilingsNow(options.threads)] : []);
  const before = await ceilings();
  // The last things before every run, whichever the engine.
  touchMemory(resident);
  const readSeconds = readAll(path);
  const limit = options.limit ?? peer.limit ?? Math.ceil(120 + 10 * guess);
  const found = await runDriver(peer, pathOf(peer), taskOf(path, options), limit);
  if (found.error) return found;
  const all = [...before, ...(await ceilings())];
  const ours = isOurs && {
    cost: modelCost(await neox.Model.inspect(path), found.kvCacheType ?? 'f16'),
    ceilings: all.length > 0 ? bestCeilings(all) : null,
  };
  return { ...found, fileBytes, readSeconds, ...ours, seconds: (performance.now() - begin) / 1000 };
}
