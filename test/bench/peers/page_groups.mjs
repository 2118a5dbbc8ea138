// The results as the tables want them: by type of weights, then by engine, each with its medians and spreads.

import { agreementOf } from './agreement.mjs';
import {
  arithmeticOf,
  bytesPerToken,
  isQuantized,
  LIMITS,
  medianOf,
  neox,
  promptOperations,
  spreadOf,
} from './dist.mjs';
import { OURS } from './peers.mjs';
import { failuresOf, runsOf } from './results.mjs';

const MEASURES = ['pp', 'tg', 'tgDepth', 'firstTokenSeconds', 'peakBytes'];

/**
 * `{ type, rows, ours, failures }`; a row is `{ peer, runs, of: { pp: { median, spread }, ... }, noisy, agreement }`.
 * Also of types that no engine, or not this project, has come to an end with.
 */
export function groupsOf(records, peers) {
  const has = new Set(records.map(({ type }) => type));
  return neox.FILE_TYPES.filter((type) => has.has(type)).map((type) => {
    const rows = peers
      .map((peer) => ({ peer, runs: runsOf(records, peer.name, type) }))
      .filter(({ runs }) => runs.length > 0)
      .map(({ peer, runs }) => ({
        peer,
        runs,
        of: Object.fromEntries(MEASURES.map((name) => [name, summary(runs.map((run) => run[name]))])),
        noisy: runs.filter(isNoisy).length,
        agreement: peer.name === OURS ? null : agreementOf(records, peer, type),
      }));
    const failures = failuresOf(records).filter((record) => record.type === type);
    return { type, rows, ours: rows.find(({ peer }) => peer.name === OURS), failures };
  });
}

/** Of the values that are there; the spread is null of fewer than two. */
function summary(values) {
  const told = values.filter((value) => typeof value === 'number');
  if (told.length === 0) return { median: null, spread: null };
  return { median: medianOf(told), spread: told.length < 2 ? null : spreadOf(told) };
}

const isNoisy = ({ noise }) => noise.doubts.length > 0;
export const NOISE_LIMITS = LIMITS;

/**
 * How near runs of ours came to the ceilings measured around each, as medians of the shares: `{ pp, tg, tgDepth }`, and
 * `firstToken` against reading the file; null where nothing was measured. `arithmetic` names the yardstick of `pp`.
 */
export function sharesOf({ type, ours }, { prompt, gen, depth }) {
  if (!ours) return null;
  const median = (value) => summary(ours.runs.map((run) => finite(value(run)))).median;
  // Runs without ceilings stand beside others.
  const { precision, ceilings } = ours.runs.find((run) => run.ceilings) ?? ours.runs[0];
  const arithmetic = arithmeticOf(precision, isQuantized(type), ceilings?.int16GopPerS > 0);
  const peak = { int8: 'int8GopPerS', int16: 'int16GopPerS', f32: 'f32GflopPerS' }[arithmetic];
  const product = ({ cost, pp, ceilings: top }) =>
    top && (promptOperations(cost, { nPrompt: prompt }) * pp) / prompt / 1e9 / top[peak];
  const reading = (name, before) =>
    median((run) => {
      const bytes = bytesPerToken(run.cost, { nPrompt: 0, nGen: gen, depth: before, sequences: 1 });
      return run.ceilings && (bytes * run[name]) / 1e9 / run.ceilings.readGbPerS;
    });
  return {
    arithmetic,
    pp: median(product),
    tg: reading('tg', 0),
    tgDepth: depth > 0 ? reading('tgDepth', depth) : null,
    firstToken: median((run) => run.firstTokenSeconds / run.readSeconds),
  };
}

const finite = (value) => (Number.isFinite(value) && value > 0 ? value : null);
