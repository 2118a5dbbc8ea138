// `neox bench compare`: two measurements beside each other, and whether the second is slower.

import { FormatError } from '../../index.js';
import type { CommandSpec } from '../command.js';
import { EXIT, UsageError } from '../exit-codes.js';
import type { Io } from '../io.js';
import { rate } from '../values.js';
import { isTooSlow, type Measurement, type Pair, type Paired, pairUp, readMeasurements } from './pairs.js';
import { medianOf } from './statistics.js';

interface Options {
  failIfSlower?: number;
  json?: boolean;
}

export const compare: CommandSpec<Options> = {
  name: 'bench compare',
  summary: 'compare two measurements of neox bench or llama-bench',
  arguments: [
    { syntax: '<before>', help: 'results in json or jsonl' },
    { syntax: '<after>', help: 'the same of another build, another machine, another day' },
  ],
  options: [
    {
      flags: '--fail-if-slower <share>',
      help: 'exit with 7 when a test is slower by more than this, such as 3%, and beyond its noise',
      parse: percentage,
    },
    { flags: '--json', help: 'print the comparison as one object' },
  ],
  examples: [
    { command: 'neox bench -m model.gguf -o json > before.json' },
    { command: 'neox bench compare before.json after.json --fail-if-slower 3%' },
  ],
  notes: [
    'Tests are paired by model, test and every setting that both files have; results of one test in one file are put together.',
    'A difference counts when the repetitions of the two hardly mix: Mann-Whitney test, p <= 0.05, or no overlap at all',
    'with three repetitions on a side. With fewer nothing can be told (?), and --fail-if-slower takes the ratio as it is.',
  ].join('\n'),

  async run([before = '', after = ''], { failIfSlower, json }, io) {
    const found = pairUp(await readMeasurements(before), await readMeasurements(after));
    if (found.pairs.length === 0) {
      const message = `No test of ${before} is in ${after}: they differ in model, test or settings.`;
      throw new FormatError('ERR_NEOX_FORMAT_MISSING', message);
    }
    const slow =
      failIfSlower === undefined ? [] : found.pairs.filter((pair) => isTooSlow(pair, failIfSlower));
    if (json) await io.out.json(asObject(found, slow));
    else await print(found, io);
    for (const {
      after: { model, setting, test },
      ratio,
    } of slow) {
      await io.err.line(`neox: ${test} of ${model}, ${setting}, is ${percent(1 - ratio)} slower`);
    }
    return slow.length > 0 ? EXIT.slower : EXIT.ok;
  },
};

/** `3%` or `0.03`. */
export function percentage(text: string): number {
  const [, digits = '', sign = ''] = /^(\d+(?:\.\d+)?)\s*(%?)$/.exec(text.trim()) ?? [];
  const share = Number(digits) / (sign === '%' ? 100 : 1);
  if (digits !== '' && share < 1) return share;
  throw new UsageError('Expected a share below 100 %, such as 3% or 0.03.');
}

const WORDS = { same: 'within the noise', faster: 'faster', slower: 'slower', unknown: '? too few runs' };

async function print({ pairs, onlyBefore, onlyAfter }: Paired, io: Io): Promise<void> {
  const head = ['model', 'setting', 'test', 'before t/s', 'after t/s', 'ratio', 'spread', 'p', 'difference'];
  const rows = pairs.map((pair) => [
    pair.before.model,
    pair.before.setting,
    pair.before.test,
    rate(medianOf(pair.before.samples)),
    rate(medianOf(pair.after.samples)),
    pair.ratio.toFixed(3),
    percent(pair.spread),
    pair.p.toFixed(3),
    `${WORDS[pair.verdict]}${doubtsOf(pair).length > 0 ? ', but not to be relied on' : ''}`,
  ]);
  await io.out.table(head, rows);
  const machines = new Set(pairs.flatMap(({ before, after }) => [before.cpu, after.cpu]));
  if (machines.size > 1) await io.err.line(`neox: not of one machine: ${[...machines].join('; ')}`);
  for (const pair of pairs) {
    for (const doubt of doubtsOf(pair)) await io.err.line(`neox: ${pair.before.test}: ${doubt}`, 'dim');
  }
  for (const [where, list] of Object.entries({ before: onlyBefore, after: onlyAfter })) {
    for (const { model, setting, test } of list) {
      await io.err.line(`neox: only ${where}: ${test} of ${model}, ${setting}`, 'dim');
    }
  }
}

function doubtsOf({ before, after }: Pair): string[] {
  return [
    ...before.doubts.map((doubt) => `before: ${doubt}`),
    ...after.doubts.map((doubt) => `after: ${doubt}`),
  ];
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function asObject({ pairs, onlyBefore, onlyAfter }: Paired, slow: readonly Pair[]) {
  const side = ({ build, cpu, samples, doubts }: Measurement) => ({
    build,
    cpu,
    medianTokensPerSecond: medianOf(samples),
    samples,
    doubts,
  });
  const name = ({ model, setting, test }: Measurement) => ({ model, setting, test });
  return {
    pairs: pairs.map((pair) => ({
      ...name(pair.before),
      before: side(pair.before),
      after: side(pair.after),
      ratio: pair.ratio,
      spread: pair.spread,
      p: pair.p,
      verdict: pair.verdict,
      isTooSlow: slow.includes(pair),
    })),
    onlyBefore: onlyBefore.map(name),
    onlyAfter: onlyAfter.map(name),
  };
}
