// What every driver does, and the token ids that it does it on: the same for all.

/** Ids of the prompts, without the special ones at the beginning of a vocabulary. */
export function promptIds(count, salt, vocabSize = 30000) {
  return Array.from(
    { length: count },
    (_, index) => 10 + ((index * 7919 + salt * 104729 + 13) % (vocabSize - 10)),
  );
}

/** Rows of the logits that engines are compared by. */
export const LOGIT_IDS = promptIds(256, 7);

/** The argument of a driver. */
export function taskOf(model, { threads, prompt, gen, depth }) {
  return {
    model,
    threads,
    gen,
    depth,
    contextLength: 64 * Math.ceil((Math.max(prompt, depth) + gen + 8) / 64),
    checkIds: promptIds(32, 1),
    checkTokens: 8,
    logitIds: LOGIT_IDS,
    promptIds: promptIds(prompt, 2),
    depthIds: promptIds(depth, 3),
  };
}

/** How far logits are from others, relative to how far those are from their mean; null where one side has none. */
export function deviation(logits, reference) {
  if (!logits || !reference) return null;
  const mean = reference.reduce((sum, value) => sum + value, 0) / reference.length;
  const squares = (values) => values.reduce((sum, value) => sum + value * value, 0);
  const off = squares(logits.map((value, index) => value - reference[index]));
  return Math.sqrt(off / squares(reference.map((value) => value - mean)));
}
