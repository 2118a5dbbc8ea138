// Two files of results, paired by what was measured, and what is to be made of each pair.

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { FormatError } from '../../index.js';
import { type Settings, settingsKey, settingsOf, sharedNames, varyingNames } from './settings.js';
import { medianOf, rankShift, rankTest, spreadOf } from './statistics.js';
import { type TestKind, testName } from './tests.js';

/** One test, of all its records in a file; llama-bench's files have all that is needed as well. */
export interface Measurement {
  /** The model's file, as it was given. */
  path: string;
  model: string;
  /** The parameters that are not the model's or the test's, in short: `CPU, fast, kv f16, 2 threads`. */
  setting: string;
  settings: Settings;
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
    const key = JSON.stringify([
      ...[each.path, each.model, each.test],
      settingsKey(each.settings, Object.keys(each.settings).sort()),
    ]);
    const before = found.get(key);
    before?.samples.push(...each.samples);
    before?.doubts.push(...each.doubts);
    if (before === undefined) found.set(key, each);
  }
  return toldApart([...found.values()]);
}

// What is in `setting` already, or says the same once more.
const SHOWN = ['backends', 'precision', 'type_k', 'n_threads'];

/** Adds to `setting` what else differs within the file. */
function toldApart(list: readonly Measurement[]): Measurement[] {
  const names = varyingNames(list.map(({ settings }) => settings)).filter((name) => !SHOWN.includes(name));
  return list.map((each) => {
    const isNamesake = list.some(({ model, path }) => model === each.model && path !== each.path);
    const more = names
      .filter((name) => name !== 'type_v' || each.settings.type_v !== each.settings.type_k)
      .map((name) => `${name} ${String(each.settings[name] ?? '-')}`);
    return { ...each, setting: [each.setting, ...more, ...(isNamesake ? [each.path] : [])].join(', ') };
  });
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
    !samples.every((each) => typeof each === 'number' && each > 0 && each < Infinity)
  ) {
    throw bad('samples_ts', 'the speeds of the repetitions');
  }
  const [nPrompt, nGen, depth] = [integer('n_prompt'), integer('n_gen'), integer('n_depth', 0)];
  const sequences = integer('n_sequences', 1);
  const kind = text('test_kind', nGen === 0 ? 'pp' : nPrompt === 0 ? 'tg' : 'pg') as TestKind;
  const test = testName({ nPrompt, nGen, depth, sequences }, kind);
  const path = text('model_filename');
  const model = `${basename(path)} (${text('model_type')})`;
  const setting = [
    text('backends'),
    text('precision', ''),
    `kv ${text('type_k')}`,
    `${integer('n_threads')} threads`,
  ]
    .filter((part) => part !== '')
    .join(', ');
  return {
    path,
    model,
    setting,
    settings: settingsOf(record),
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
  // A newer llama-bench has columns that an older one lacks.
  const names = sharedNames([...before, ...after].map(({ settings }) => settings));
  const keyOf = ({ model, test, settings }: Measurement): string =>
    JSON.stringify([model, test, settingsKey(settings, names)]);
  const partners = new Map<Measurement, Measurement>();
  for (const each of before) {
    const key = keyOf(each);
    const [mine, others] = [before, after].map((list) => list.filter((one) => keyOf(one) === key));
    const other = onlyPair(mine?.filter(isAt(each)), others?.filter(isAt(each))) ?? onlyPair(mine, others);
    if (other !== undefined) partners.set(each, other);
  }
  const found = new Set(partners.values());
  return {
    pairs: [...partners].map(([each, other]) => judge(each, other)),
    onlyBefore: before.filter((each) => !partners.has(each)),
    onlyAfter: after.filter((each) => !found.has(each)),
  };
}

function isAt({ path }: Measurement): (other: Measurement) => boolean {
  return (other) => other.path === path;
}

// Where several could be meant, none is.
function onlyPair(
  mine: readonly Measurement[] = [],
  others: readonly Measurement[] = [],
): Measurement | undefined {
  return mine.length === 1 && others.length === 1 ? others[0] : undefined;
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
  if (ratio === 1) return 'same';
  return rankShift(a, b) < 0 ? 'slower' : 'faster';
}

/** Whether a pair is slower than a share allows, beyond its noise. Where nothing can be told the ratio is taken at its word. */
export function isTooSlow({ ratio, verdict }: Pair, share: number): boolean {
  return ratio < 1 - share && (verdict === 'slower' || verdict === 'unknown');
}
