// Random rows of scores in the hands of transformers' logits processors and of ours. Runs where a Python with transformers
// 4.57.6 is at hand (NEOX_PYTHON names one; python3 otherwise). NEOX_VECTORS sets the number of rows for each processor.

import { Sampler } from '../../lib/index.js';
import type { SamplerOptions } from '../../lib/types.js';
import { record } from './parity-figures.js';
import { lines, testWhere } from './python.js';

const VECTORS = 2000;
const COMBINATIONS = 200;
const vectors = Number(process.env.NEOX_VECTORS ?? VECTORS);
/** Relative, on the values that are kept. */
const TOLERANCE = 1e-6;

/** What scripts/fixtures/processor_cases.py says; rows are float32 in base64. */
interface Case {
  group: string;
  options: SamplerOptions & { maxLength?: number };
  ids: number[];
  promptLength: number;
  keep: number;
  scores: string;
  reference: string;
  exact: string;
  hasOpenOrder: boolean;
}

interface Tally {
  vectors: number;
  /** Ours and float64 differ from the reference, in the same way. */
  asFloat64: number;
  /** Both differ from the reference, and from each other. */
  neither: number;
  /** The reference makes NaN of a masked eos, ours leaves it masked. */
  nan: number;
  /** Without stable sorting the reference may keep other ones among equal scores. */
  openOrder: number;
}

function row(base64: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'));
  return new Float32Array(bytes.buffer);
}

function areEqual(got: Float32Array, wanted: Float32Array): boolean {
  return got.every((value, index) => {
    const want = wanted[index] as number;
    return value === want || Math.abs(value - want) <= TOLERANCE * Math.abs(want);
  });
}

testWhere('transformers')(
  'the logits processors of transformers keep the same tokens with the same scores',
  async () => {
    const tallies = new Map<string, Tally>();
    const wrong: object[] = [];
    for await (const line of lines('processor_cases.py', ['1', String(vectors), String(COMBINATIONS)])) {
      const { group, options, ids, promptLength, keep, hasOpenOrder, ...rows }: Case = JSON.parse(line);
      const tally = tallies.get(group) ?? { vectors: 0, asFloat64: 0, neither: 0, nan: 0, openOrder: 0 };
      tallies.set(group, tally);
      tally.vectors++;
      if (hasOpenOrder) tally.openOrder++;
      const scores = row(rows.scores);
      const reference = row(rows.reference);
      const exact = row(rows.exact);
      if (reference.some(Number.isNaN)) {
        tally.nan++;
        for (const each of [reference, exact])
          each.forEach((value, index) => {
            if (Number.isNaN(value)) each[index] = scores[index] as number;
          });
      }
      const got = new Sampler(options).process(scores, ids, { promptLength, minTokensToKeep: keep });
      if (areEqual(got, reference)) continue;
      if (areEqual(exact, reference))
        wrong.push({ group, options, ids, promptLength, keep, scores, reference, got });
      else if (areEqual(got, exact)) tally.asFloat64++;
      else tally.neither++;
    }
    console.table(Object.fromEntries(tallies));
    expect(wrong.slice(0, 3)).toEqual([]);
    expect(tallies.size).toBe(20);
    if (vectors !== VECTORS) return;
    const all = [...tallies.values()];
    const rounded = all.reduce((sum, { asFloat64, neither }) => sum + asFloat64 + neither, 0);
    // How many exactly is a matter of the machine that torch runs on.
    expect(rounded).toBeLessThan(0.01 * all.reduce((sum, tally) => sum + tally.vectors, 0));
    record('logits-processors', {
      processors: tallies.size - 1,
      rowsEach: VECTORS,
      combinations: COMBINATIONS,
      rowsOfCombinations: tallies.get('combination')?.vectors ?? 0,
      values: 'within 1e-6 of each',
      different: wrong.length,
      differentWhereFloat64DiffersToo: 'fewer than 1 in 100',
    });
  },
  3_600_000,
);
