// Whether the engines compute the same: their logits and greedy ids against ours on the same weights.

import { OURS } from './peers.mjs';
import { runsOf } from './results.mjs';
import { deviation } from './task.mjs';

export const LARGEST_DEVIATION = 0.2; // of logits of random weights; those of another network deviate by 1.4

/**
 * By the logits; ids of random weights turn at the smallest difference, so that they alone exclude no engine.
 * Of all runs of a peer on a type the worst: `{ off, same, count, isOther, text }`, where `off` is the deviation of its logits and
 * `same` the number of first ids alike of `count`, each null where it tells none.
 */
export function agreementOf(records, peer, type) {
  const reference = peer.same ?? type;
  const [ours] = runsOf(records, OURS, reference);
  const nothing = { off: null, same: null, count: null, isOther: false };
  if (!ours) return { ...nothing, text: `not compared: no run of gpt-neox on ${reference}` };
  const runs = runsOf(records, peer.name, type);
  const worst = (values, choose) => {
    const told = values.filter((value) => value !== null);
    return told.length === 0 ? null : choose(...told);
  };
  const off = worst(
    runs.map(({ logits }) => deviation(logits, ours.logits)),
    Math.max,
  );
  const same = worst(
    runs.map(({ ids }) => sameIds(ids, ours.ids)),
    Math.min,
  );
  const count = same === null ? null : ours.ids.length;
  if (off === null && same === null) return { ...nothing, text: 'it tells neither' };
  if (off === null) return { ...nothing, same, count, text: `ids alone: ${same} of ${count}` };
  const isOther = !(off < LARGEST_DEVIATION);
  return { off, same, count, isOther, text: isOther ? '**another network**' : 'the same network' };
}

function sameIds(ids, ours) {
  if (!ids || !ours) return null;
  const at = ours.findIndex((id, index) => id !== ids[index]);
  return at < 0 ? ours.length : at;
}
