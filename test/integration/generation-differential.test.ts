// Random prompts under random settings in the hands of transformers' generate() and of ours, on every checkpoint. Runs where a
// Python with transformers 4.57.6 and torch is at hand (NEOX_PYTHON names one; python3 otherwise). NEOX_CASES_SEED sets the
// seed, NEOX_CASES the number of settings.

import type { Model } from '../../lib/index.js';
import { checkpointNames } from './fixtures.js';
import { compare, generate, loadExact, type Reference, type Setting } from './generation-cases.js';
import { record } from './parity-figures.js';
import { lines, testWhere } from './python.js';

const SEED = '1';
const COUNT = 460;
const TOLERANCE = 1e-4;
const seed = process.env.NEOX_CASES_SEED ?? SEED;
const count = Number(process.env.NEOX_CASES ?? COUNT);

type RandomCase = Setting & Reference & { ids: number[] };

/** The largest difference of log-probabilities, or of beams' scores, of what is the same; of 1 and more as a share. */
function scoreError(expected: readonly number[], actual: readonly (number | undefined)[]): number {
  const errors = expected.map(
    (value, i) => Math.abs((actual[i] ?? Number.NaN) - value) / Math.max(1, Math.abs(value)),
  );
  return Math.max(0, ...errors);
}

testWhere('transformers, torch')(
  'generate() continues with the same ids, and the same log-probabilities or scores of beams',
  async () => {
    const done = { settings: 0, beams: 0, same: 0, open: 0 };
    const found: object[] = [];
    let model: Model | undefined;
    let loaded = '';
    for await (const line of lines('generate_cases.py', [seed, String(count)])) {
      const one: RandomCase = JSON.parse(line);
      if (one.checkpoint !== loaded || !model) {
        await model?.dispose();
        model = await loadExact(one.checkpoint);
        loaded = one.checkpoint;
      }
      done.settings++;
      if (one.scores) done.beams++;
      try {
        const result = await generate(model, one.ids, {
          ...one,
          options: { ...one.options, logprobs: !one.scores },
        });
        const verdict = compare(one, result);
        if (verdict === 'same' || verdict === 'open') done[verdict]++;
        else found.push({ ...one, verdict });
        if (verdict !== 'same') continue;
        const error = one.scores
          ? scoreError(
              one.scores,
              result.sequences.map((sequence) => sequence.score),
            )
          : scoreError(
              one.logprobs ?? [],
              result.tokens.map((token) => token.logprob),
            );
        if (!(error <= TOLERANCE)) found.push({ ...one, error });
      } catch (error) {
        found.push({ ...one, error: String(error) });
      }
    }
    await model?.dispose();
    console.info(`seed ${seed}: ${JSON.stringify(done)}, ${found.length} differences`);
    expect(found.slice(0, 10)).toEqual([]);
    expect(done.open).toBeLessThan(0.01 * count);
    if (seed === SEED && count === COUNT) {
      record('generation', {
        settings: done.settings,
        beamSearches: done.beams,
        checkpoints: checkpointNames.length,
        different: 0,
        differentWhereNotClear: 'fewer than 1 in 100',
        scoresWithin: TOLERANCE.toExponential(),
      });
    }
  },
  600_000,
);
