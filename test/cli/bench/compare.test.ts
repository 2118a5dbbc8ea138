import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { percentage } from '../../../lib/cli/bench/compare.js';
import { ranges } from '../../../lib/cli/bench/flags.js';
import { json, jsonl } from '../../../lib/cli/bench/formats.js';
import { doubts, Watch } from '../../../lib/cli/bench/noise.js';
import {
  isTooSlow,
  judge,
  type Measurement,
  pairUp,
  readMeasurements,
} from '../../../lib/cli/bench/pairs.js';
import type { BenchRecord } from '../../../lib/cli/bench/record.js';
import { repeat } from '../../../lib/cli/bench/repeat.js';
import { medianOf, quantileOf, rankTest, spreadOf } from '../../../lib/cli/bench/statistics.js';
import { expectFailure, neox, temporaryFolder } from '../program.js';
import { benchRecord } from './records.js';

const folder = temporaryFolder();
afterAll(folder.remove);

function file(name: string, text: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  return path;
}

const withSamples = (samples: number[], fields: Partial<BenchRecord> = {}): BenchRecord =>
  benchRecord({ ...fields, samples_ts: samples });

describe('bench compare', () => {
  const before = file(
    'before.json',
    json([
      withSamples([100, 101, 99, 100, 102]),
      withSamples([9, 9.1, 9.2, 9, 9.1], { n_prompt: 0, n_gen: 32, test_kind: 'tg' }),
    ]),
  );

  test('a slower test fails beyond what is allowed, with a code of its own', async () => {
    const after = file(
      'slow.json',
      json([
        withSamples([90, 91, 89, 90, 92]),
        withSamples([9.1, 9, 9.2, 9.1, 9], { n_prompt: 0, n_gen: 32, test_kind: 'tg' }),
      ]),
    );
    const ended = await neox(['bench', 'compare', before, after, '--fail-if-slower', '3%']);
    expect(ended.status).toBe(7);
    expect(ended.stdout).toMatch(
      /pp512 +100 +90\.0 +0\.900 .* slower\n.*tg32 +9\.10 +9\.10 +1\.000 .* within the noise\n$/,
    );
    expect(ended.stderr).toBe(
      'neox: pp512 of m.gguf (gptneox 3.61 B Q4_0), CPU, fast, kv f16, 2 threads, is 10.0 % slower\n',
    );
    expect((await neox(['bench', 'compare', before, after, '--fail-if-slower', '0.15'])).status).toBe(0);
    const object = JSON.parse((await neox(['bench', 'compare', before, after, '--json'])).stdout);
    expect(object.pairs).toMatchObject([
      { test: 'pp512', ratio: 0.9, verdict: 'slower', isTooSlow: false },
      { test: 'tg32', ratio: 1, verdict: 'same' },
    ]);
  });

  test('files that are no results are named with what is wrong', async () => {
    const fails = async (path: string, message: RegExp) =>
      expectFailure(await neox(['bench', 'compare', before, path]), 3, message);
    await fails(join(folder.path, 'none.json'), /ENOENT/);
    await fails(file('cut.json', json([benchRecord()]).slice(0, -9)), /is not JSON.*ERR_NEOX_FORMAT_SYNTAX/);
    await fails(file('list.json', '[1]'), /Result 1 of .* nothing as samples_ts.*ERR_NEOX_FORMAT_MISSING/);
    await fails(file('empty.json', '[]'), /no result.*ERR_NEOX_FORMAT_MISSING/);
    await fails(
      file('zero.json', json([withSamples([1, 0])])),
      /\[1,0\] as samples_ts.*ERR_NEOX_FORMAT_TYPE/,
    );
    const texts = { ...benchRecord(), samples_ts: ['5', '6'] };
    await fails(
      file('texts.json', JSON.stringify([texts])),
      /\["5","6"\] as samples_ts.*ERR_NEOX_FORMAT_TYPE/,
    );
    const broken = { ...benchRecord(), n_threads: 'two' };
    await fails(file('threads.json', JSON.stringify([broken])), /"two" as n_threads.*ERR_NEOX_FORMAT_TYPE/);
    await fails(
      file('other.json', json([benchRecord({ n_prompt: 256 })])),
      /No test of .*ERR_NEOX_FORMAT_MISSING/,
    );
    expectFailure(
      await neox(['bench', 'compare', before, before, '--fail-if-slower', 'much']),
      2,
      /3% or 0.03/,
    );
  });
});

test("llama-bench's own files pair with each other, and repeated results are put together", async () => {
  const { test_kind, n_sequences, precision, reliable, ...record } = withSamples([10, 11]);
  const path = file(
    'llama.jsonl',
    jsonl([record as BenchRecord, { ...record, samples_ts: [12] } as BenchRecord]),
  );
  const [found, ...rest] = await readMeasurements(path);
  expect(rest).toEqual([]);
  expect(found).toMatchObject({
    test: 'pp512',
    samples: [10, 11, 12],
    setting: 'CPU, kv f16, 2 threads',
    doubts: [],
  });
});

test('results that differ in a setting or in the path of the model are not put together', async () => {
  const list = [
    withSamples([10, 11], { flash_attn: 0 }),
    withSamples([20, 21], { flash_attn: 1 }),
    withSamples([30, 31], { flash_attn: 1, type_v: 'q8_0' }),
    withSamples([40, 41], { flash_attn: 0, model_filename: 'other/m.gguf' }),
    withSamples([12], { flash_attn: 0, build_commit: 'fedcba987', load_ms: null, isa: 'avx2', spread: null }),
  ];
  const found = await readMeasurements(file('settings.json', json(list)));
  expect(found.map(({ samples, setting }) => [samples, setting])).toEqual([
    [[10, 11, 12], 'CPU, fast, kv f16, 2 threads, flash_attn 0, models/m.gguf'],
    [[20, 21], 'CPU, fast, kv f16, 2 threads, flash_attn 1, models/m.gguf'],
    [[30, 31], 'CPU, fast, kv f16, 2 threads, flash_attn 1, type_v q8_0, models/m.gguf'],
    [[40, 41], 'CPU, fast, kv f16, 2 threads, flash_attn 0, other/m.gguf'],
  ]);
});

test('a ceiling is no setting, whatever it was called', async () => {
  const { ceiling_int8_gop_per_s, ...others } = withSamples([1]);
  const list = [withSamples([1]), { ...others, ceiling_vnni_gop_per_s: ceiling_int8_gop_per_s }];
  const found = await readMeasurements(file('ceilings.json', JSON.stringify(list)));
  expect(found.map(({ samples }) => samples)).toEqual([[1, 1]]);
});

describe('decisions', () => {
  const measurement = (samples: number[], model = 'a', path = model, settings = {}): Measurement => ({
    ...{ path, model, setting: 's', settings, test: 'pp1', samples, cpu: '', build: '', doubts: [] },
  });
  const verdict = (a: number[], b: number[]) => judge(measurement(a), measurement(b)).verdict;

  test('a difference counts when the samples hardly mix', () => {
    expect(verdict([100, 101, 102, 103, 104], [90, 91, 92, 93, 94])).toBe('slower');
    expect(verdict([90, 91, 92, 93, 94], [100, 101, 102, 103, 104])).toBe('faster');
    expect(verdict([100, 90, 102, 91, 104], [99, 92, 101, 93, 103])).toBe('same');
    expect(verdict([100, 101, 102], [90, 91, 92])).toBe('slower');
    expect(verdict([100, 101, 102], [90, 91, 100])).toBe('same');
    expect(verdict([100, 101], [50, 51])).toBe('unknown');
  });

  test('the gate opens within the noise, and takes a ratio at its word where there is none to know', () => {
    const pair = (a: number[], b: number[]) => judge(measurement(a), measurement(b));
    expect(isTooSlow(pair([100, 101, 102, 103, 104], [90, 91, 92, 93, 94]), 0.03)).toBe(true);
    expect(isTooSlow(pair([100, 101, 102, 103, 104], [90, 91, 92, 93, 94]), 0.2)).toBe(false);
    expect(isTooSlow(pair([100, 80, 102, 60, 104], [99, 61, 81, 62, 103]), 0.03)).toBe(false);
    expect(isTooSlow(pair([100], [90]), 0.03)).toBe(true);
  });

  test('what only one side has is told', () => {
    const found = pairUp(
      [measurement([1], 'a'), measurement([1], 'b')],
      [measurement([1], 'b'), measurement([1], 'c')],
    );
    expect(found.pairs.map(({ before }) => before.model)).toEqual(['b']);
    expect(found.onlyBefore.map(({ model }) => model)).toEqual(['a']);
    expect(found.onlyAfter.map(({ model }) => model)).toEqual(['c']);
  });

  test('a direction is that of the ranks, and equal medians are the same', () => {
    expect(verdict([1, 2, 3, 100, 101, 102, 103], [99, 99.5, 99.8, 100, 200, 201, 202])).toBe('same');
    const early = [10, 11, 12, 13, 14, 15, 16, 17, 30];
    expect(verdict(early, [18, 19, 20, 21, 22, 23, 24, 25, 1])).toBe('faster');
    expect(verdict([18, 19, 20, 21, 22, 23, 24, 25, 1], early)).toBe('slower');
  });

  test('a file of another folder is a partner where no other could be meant', () => {
    const [a, b, c] = ['a/m', 'b/m', 'c/m'].map((path) => measurement([1], 'm', path));
    const paths = (before: unknown[], after: unknown[]) =>
      pairUp(before as Measurement[], after as Measurement[]).pairs.map((pair) => [
        pair.before.path,
        pair.after.path,
      ]);
    expect(paths([a], [c])).toEqual([['a/m', 'c/m']]);
    expect(paths([a, b], [a, c])).toEqual([['a/m', 'a/m']]);
    expect(paths([a, b], [c])).toEqual([]);
    expect(pairUp([a, b] as Measurement[], [c] as Measurement[])).toMatchObject({
      onlyBefore: [a, b],
      onlyAfter: [c],
    });
  });

  test('a setting that one file lacks does not part its tests', () => {
    const [old, ...now] = [{ x: 1 }, { x: 1, y: 2 }, { x: 2, y: 2 }].map((settings) =>
      measurement([1], 'm', 'm', settings),
    ) as [Measurement, Measurement, Measurement];
    expect(pairUp([old], now)).toMatchObject({
      pairs: [{ before: old, after: now[0] }],
      onlyAfter: [now[1]],
    });
  });

  test('shares are percentages or fractions', () => {
    expect(['3%', '3 %', '0.03', '0'].map(percentage)).toEqual([0.03, 0.03, 0.03, 0]);
    for (const text of ['', '%', '-1%', '100%', '3', '1e-2']) expect(() => percentage(text)).toThrow(/3%/);
  });
});

test('the rank test gives the known probabilities', () => {
  // 2 of the 252 ways to deal ten ranks to two fives are as far apart.
  expect(rankTest([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])).toBeCloseTo(2 / 252, 12);
  expect(rankTest([1, 2, 3], [4, 5, 6])).toBeCloseTo(2 / 20, 12);
  expect(rankTest([1, 3, 5], [2, 4, 6])).toBeCloseTo(14 / 20, 12);
  expect(rankTest([1, 1, 1], [1, 1, 1])).toBe(1);
  expect(rankTest([1, 1, 2], [2, 3, 3])).toBeCloseTo(rankTest([2, 3, 3], [1, 1, 2]), 12);
  // Beyond fifty values the normal distribution stands in; the two meet.
  const shifted = (count: number): number => {
    const values = Array.from({ length: count }, (_, index) => index);
    return rankTest(
      values,
      values.map((value) => value + count / 8),
    );
  };
  expect(shifted(48)).toBeCloseTo(0.0477, 4);
  expect(shifted(56)).toBeCloseTo(0.03245, 4);
});

test('quantiles and the spread are of the middle half', () => {
  expect(quantileOf([4, 1, 3, 2], 0.5)).toBe(2.5);
  expect(medianOf([3, 1, 2])).toBe(2);
  expect(spreadOf([100, 100, 101, 102, 500])).toBeCloseTo(2 / 101, 12);
  expect(spreadOf([7])).toBe(0);
});

test("ranges are llama-bench's", () => {
  const read = ranges(0);
  expect(read('1-4')).toEqual([1, 2, 3, 4]);
  expect(read('1-8+2, 32')).toEqual([1, 3, 5, 7, 32]);
  expect(read('1-8*2,0')).toEqual([1, 2, 4, 8, 0]);
  for (const text of ['', '8-4', '0-8*2', '1-8+0', '1-8*1', '1:8', 'a', '1-', '1-1000000']) {
    expect(() => read(text)).toThrow(/Expected/);
  }
});

describe('the noise guard', () => {
  test('names scatter, others on the same cores, and the host', () => {
    expect(doubts(0.01, { others: 0.1, steal: 0.001 }, 2, 2)).toEqual([]);
    expect(doubts(0.01, { others: 3, steal: null }, 2, 8)).toEqual([]);
    expect(doubts(null, { others: 0.1, steal: 0.001 }, 8, 2)).toEqual([]);
    expect(doubts(null, { others: 1, steal: 0 }, 8, 2)).toEqual(['other processes took 1.0 of 2 cores']);
    expect(doubts(0.2, { others: 1, steal: 0.05 }, 2, 2)).toEqual([
      'the repetitions scatter by 20 %',
      'other processes took 1.0 of 2 cores',
      'the host took 5.0 % of the CPU time',
    ]);
  });

  test('counts what happened while repetitions ran, and says nothing of moments', () => {
    const watch = new Watch();
    const reading = (at: number, busy: number, own: number, steal: number) => ({
      at,
      busy,
      own,
      steal,
      cores: 2,
    });
    watch.add(reading(0, 0, 0, 0), reading(100, 150, 90, 10));
    expect(watch.disturbance).toEqual({ others: null, steal: null });
    watch.add(reading(500, 0, 0, 10), reading(800, 350, 310, 40));
    expect(watch.disturbance).toEqual({ others: 0.25, steal: 40 / 800 });
  });

  const run = (decodeNs: number) => ({ prefillNs: 0, decodeNs, firstTokenMs: 1, gapsMs: [], characters: 0 });
  const options = {
    warmup: false,
    repetitions: 3,
    maxRepetitions: 8,
    threads: 1,
    signal: new AbortController().signal,
    onRun: () => {},
  };
  const feed = (times: number[]) => {
    let index = 0;
    return async () => run(times[index++] ?? Number.NaN);
  };

  test('repeats until the results agree, or to its bound, and keeps every run', async () => {
    const calm = await repeat(feed([100, 101, 100, 1]), options);
    expect([calm.runs.length, calm.doubts]).toEqual([3, []]);
    const settling = await repeat(feed([100, 200, 100, 101, 100, 100, 1]), options);
    expect([settling.runs.length, settling.doubts]).toEqual([5, []]);
    expect(settling.runs.map(({ decodeNs }) => decodeNs)).toContain(200);
    const wild = await repeat(feed([100, 200, 300, 400, 500, 600, 700, 800, 1]), options);
    expect(wild.runs).toHaveLength(8);
    expect(wild.doubts).toEqual(['the repetitions scatter by 78 %']);
  });

  test('an error that is no interrupt goes on', async () => {
    await expect(repeat(() => Promise.reject(new Error('broken')), options)).rejects.toThrow('broken');
  });
});
