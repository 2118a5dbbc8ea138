// What a call would run, in which order, and for how long.

import { medianOf } from './dist.mjs';
import { fits, runsOf } from './results.mjs';

const LAYERS = 36; // of the shape that the guesses of peers.mjs are for
const OVERHEAD_SECONDS = 3; // reading the file, starting a process
const SETTINGS = ['shape', 'threads', 'prompt', 'gen', 'depth'];

/** The runs that are missing, in order: type by type, round by round, each round beginning with another peer. */
export function planRuns(found, records, options) {
  const series = records.filter((record) => fits(record, options) && isOfThisCall(record, found));
  return options.types.flatMap((type) => {
    const peers = found.filter((peer) => peer.types(type));
    const done = new Map(peers.map((peer) => [peer, runsOf(series, peer.name, type).length]));
    return Array.from({ length: options.rounds }, (_, round) =>
      peers
        .map((_, turn) => peers[(turn + round) % peers.length])
        .filter((peer) => done.get(peer) <= round)
        .map((peer) => ({ peer, type, round, ...guess(records, peer, type, options) })),
    ).flat();
  });
}

function isOfThisCall({ peer, probe, commit, machine }, found) {
  const one = found.find(({ name }) => name === peer);
  return (
    one?.version === probe && one.commit === commit && JSON.stringify(one.machine) === JSON.stringify(machine)
  );
}

// Of runs with as many layers, else in proportion to the layers.
function guess(records, peer, type, options) {
  const own = records.filter(
    (record) =>
      record.peer === peer.name &&
      record.seconds > 0 &&
      !record.error &&
      SETTINGS.every((name) => record[name] === options[name]),
  );
  const ofType = own.filter((record) => record.type === type);
  const near = ofType.length > 0 ? ofType : own;
  const share = (layers) => (layers ?? LAYERS) / LAYERS;
  if (near.length === 0)
    return { seconds: OVERHEAD_SECONDS + peer.seconds * share(options.layers), isMeasured: false };
  const scaled = near.map((record) => (record.seconds * share(options.layers)) / share(record.layers));
  return { seconds: medianOf(scaled), isMeasured: true };
}

export const totalSeconds = (runs) => runs.reduce((sum, { seconds }) => sum + seconds, 0);

/** The plan as text, and how long less would take. */
export function describePlan(found, records, options) {
  const runs = planRuns(found, records, options);
  const width = Math.max(...options.types.map((type) => type.length), 7);
  const row = (...cells) =>
    cells.map((cell, at) => (at === 0 ? cell.padEnd(width) : cell.padStart(12))).join('');
  const lines = options.types.map((type) => {
    const own = runs.filter((run) => run.type === type);
    return row(type, `${own.length} runs`, duration(totalSeconds(own)));
  });
  const measured = runs.filter(({ isMeasured }) => isMeasured).length;
  const layers = [...new Set([options.layers, ...(options.shape === '3.6b' ? [null, 9] : [])])];
  const rounds = [...new Set([options.rounds, 5, 3, 1])].sort((a, b) => b - a);
  const anew = (other) => duration(totalSeconds(planRuns(found, records, { ...options, ...other })));
  return [
    ...lines,
    row('in all', `${runs.length} runs`, duration(totalSeconds(runs))),
    `${measured} of the ${runs.length} are estimated from runs that were measured, the others from one machine with 2 cores.`,
    'Making the models that are missing comes on top of it: about a second for each 100 MB.',
    '',
    `Missing runs with ${options.types.length === 1 ? 'this type' : `these ${options.types.length} types`}, in time:`,
    row('', ...rounds.map((each) => `${each} ${each === 1 ? 'round' : 'rounds'}`)),
    ...layers.map((each) =>
      row(
        each === null ? 'whole' : `${each} layers`,
        ...rounds.map((count) => anew({ layers: each, rounds: count })),
      ),
    ),
    '',
  ].join('\n');
}

export function duration(seconds) {
  if (seconds < 100) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
