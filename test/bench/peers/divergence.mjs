// How far rows of logits are from others.

import { deviationOf } from './dist.mjs';

/** Of each row of `candidate` from that of `reference`: the KL divergence in nats, and whether both find the same id most likely. */
export function compareRows(reference, candidate, vocabSize) {
  const kl = [];
  const same = [];
  for (let begin = 0; begin < reference.length; begin += vocabSize) {
    const p = distribution(reference.subarray(begin, begin + vocabSize));
    const q = distribution(candidate.subarray(begin, begin + vocabSize));
    let sum = 0;
    for (let id = 0; id < vocabSize; id++) {
      const logP = p.logits[id] - p.logSum;
      sum += Math.exp(logP) * (logP - (q.logits[id] - q.logSum));
    }
    kl.push(Math.max(0, sum));
    same.push(p.best === q.best);
  }
  return { kl, same };
}

function distribution(logits) {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[best]) best = id;
  let sum = 0;
  for (const value of logits) sum += Math.exp(value - logits[best]);
  return { logits, best, logSum: logits[best] + Math.log(sum) };
}

const NO_NUMBERS = 'logits that are no numbers';

/** A record as it counts: of divergences that are no numbers, which JSON writes as null, a failure. */
export function checked(record) {
  if (record.error || [...record.kl, ...record.ownKl].every(Number.isFinite)) return record;
  const { kl, same, ownKl, ownSame, ...who } = record;
  return { ...who, error: NO_NUMBERS };
}

/** Standard error of a mean. */
export function errorOfMean(values) {
  return deviationOf(values) / Math.sqrt(values.length);
}
