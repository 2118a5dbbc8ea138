// Two files of results, paired by what was measured, and what is to be made of each pair.

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { FormatError } from '../../index.js';
import { medianOf, rankTest, spreadOf } from './statistics.js';
import { type TestKind, testName } from './tests.js';

/** One test, of all its records in a file; llama-bench's files have all that is needed as well. */
export interface Measurement {
  /** What it is paired by. */
  key: string;
  model: string;
  /** The parameters that are not the model's or the test's: `fast f16 2 threads`. */
  setting: string;
  test: string;
  /** Tokens per second of every repetition. */
  samples: number[];
  cpu: string;
  build: string;
  doubts: string[];
}

export type Verdict = 'same' | 'faster' | 'slower' | 'unknown';

export interface Pair {
  before: Measurement;
  after: Measurement;
  /** Median speed after against before: above 1 is faster. */
  ratio: number;
  /** Of the two, the larger. */
  spread: number;
  /** Chance of a difference like this without a cause. */
  p: number;
  /** `same` where the difference is within the noise, `unknown` where there are too few repetitions to tell. */
  verdict: Verdict;
}

/** With fewer repetitions on a side no test can tell noise from a difference. */
const LEAST_SAMPLES = 3;
const SIGNIFICANT = 0.05;

/** @throws FormatError for what is no result of `neox bench` or llama-bench, Node's own errors for a file that cannot be read */
export async function readMeasurements(path: string): Promise<Measurement[]> {
  const records = parse(await readFile(path, 'utf8'), path);
  if (records.length === 0) {
    throw new FormatError('ERR_NEOX_FORMAT_MISSING', `${path} holds no result of neox bench.`);
  }
  const found = new Map<string, Measurement>();
  for (const [index, record] of records.entries()) {
    const each = readRecord(record, `Result ${index + 1} of ${path}`);
    const before = found.get(each.key);
    before?.samples.push(...each.samples);
    before?.doubts.push(...each.doubts);
    if (before === undefined) found.set(each.key, each);
  }
  return [...found.values()];
}

// A list, as -o json writes it, or an object a line.
function parse(text: string, path: string): unknown[] {
  const isList = text.trimStart().startsWith('[');
  try {
    if (isList) return JSON.parse(text) as unknown[];
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    return lines.map((line) => JSON.parse(line) as unknown);
  } catch (cause) {
    throw new FormatError('ERR_NEOX_FORMAT_SYNTAX', `${path} is not JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function readRecord(value: unknown, where: string): Measurement {
  const record = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const bad = (name: string, expected: string): FormatError => {
    const code = record[name] === undefined ? 'ERR_NEOX_FORMAT_MISSING' : 'ERR_NEOX_FORMAT_TYPE';
    const shown = JSON.stringify(record[name]) ?? 'nothing';
    return new FormatError(code, `${where} has ${shown.slice(0, 80)} as ${name}, expected ${expected}.`);
  };
  const text = (name: string, otherwise?: string): string => {
    const found = record[name] ?? otherwise;
    if (typeof found !== 'string') throw bad(name, 'a string');
    return found;
  };
  const integer = (name: string, otherwise?: number): number => {
    const found = record[name] ?? otherwise;
    if (!Number.isSafeInteger(found) || (found as number) < 0) throw bad(name, 'an integer of at least 0');
    return found as number;
  };
  const samples = record.samples_ts;
  if (
    !Array.isArray(samples) ||
    samples.length === 0 ||
    !samples.every((each) => each > 0 && each < Infinity)
  ) {
    throw bad('samples_ts', 'the speeds of the repetitions');
  }
  const [nPrompt, nGen, depth] = [integer('n_prompt'), integer('n_gen'), integer('n_depth', 0)];
  const sequences = integer('n_sequences', 1);
  const kind = text('test_kind', nGen === 0 ? 'pp' : nPrompt === 0 ? 'tg' : 'pg') as TestKind;
  const test = testName({ nPrompt, nGen, depth, sequences }, kind);
  const model = `${basename(text('model_filename'))} (${text('model_type')})`;
  const setting = [
    text('backends'),
    text('precision', ''),
    `kv ${text('type_k')}`,
    `${integer('n_threads')} threads`,
  ]
    .filter((part) => part !== '')
    .join(', ');
  return {
    key: JSON.stringify([model, setting, test]),
    model,
    setting,
    test,
    samples: samples as number[],
    cpu: text('cpu_info', ''),
    build: text('build_commit', ''),
    doubts: record.reliable === false ? [text('unreliable_because', 'marked as unreliable')] : [],
  };
}

export interface Paired {
  pairs: Pair[];
  /** Tests that only one file has. */
  onlyBefore: Measurement[];
  onlyAfter: Measurement[];
}

export function pairUp(before: readonly Measurement[], after: readonly Measurement[]): Paired {
  const find = (list: readonly Measurement[], { key }: Measurement) => list.find((each) => each.key === key);
  return {
    pairs: before.flatMap((each) => {
      const other = find(after, each);
      return other === undefined ? [] : [judge(each, other)];
    }),
    onlyBefore: before.filter((each) => find(after, each) === undefined),
    onlyAfter: after.filter((each) => find(before, each) === undefined),
  };
}

export function judge(before: Measurement, after: Measurement): Pair {
  const [a, b] = [before.samples, after.samples];
  const ratio = medianOf(b) / medianOf(a);
  const p = rankTest(a, b);
  return {
    before,
    after,
    ratio,
    p,
    spread: Math.max(spreadOf(a), spreadOf(b)),
    verdict: decide(a, b, ratio, p),
  };
}

// Below four on a side even samples that lie wholly apart do not reach the usual 5 %: then lying apart has to do.
function decide(a: readonly number[], b: readonly number[], ratio: number, p: number): Verdict {
  const least = Math.min(a.length, b.length);
  if (least < LEAST_SAMPLES) return 'unknown';
  const isApart = Math.max(...a) < Math.min(...b) || Math.max(...b) < Math.min(...a);
  if (p > SIGNIFICANT && !(least === LEAST_SAMPLES && isApart)) return 'same';
  return ratio < 1 ? 'slower' : 'faster';
}

/** Whether a pair is slower than a share allows, beyond its noise. Where nothing can be told the ratio is taken at its word. */
export function isTooSlow({ ratio, verdict }: Pair, share: number): boolean {
  return ratio < 1 - share && verdict !== 'same';
}
