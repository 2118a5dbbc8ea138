// The parts of the report but the plots over a parameter.

import { basename } from 'node:path';
import { bytes, count, milliseconds, rate } from '../../values.js';
import { type BenchRecord, recordName } from '../record.js';
import { ceilingSentences, productYardstick, reached } from '../yardstick.js';
import { type Html, html } from './html.js';
import { bars, table } from './plots.js';

export type Records = readonly BenchRecord[];

export function modelName({ model_filename, model_type }: BenchRecord): string {
  return `${basename(model_filename)} (${model_type})`;
}

/** What tells a record from the others: the parts of its name that differ among them. */
export function labelOf(record: BenchRecord, among: Records, test = recordName(record)): string {
  const parts: readonly ((each: BenchRecord) => string)[] = [
    modelName,
    ({ precision }) => precision,
    ({ type_k }) => `kv ${type_k}`,
    ({ n_threads }) => `${n_threads} threads`,
  ];
  const told = parts.filter((part) => new Set(among.map(part)).size > 1).map((part) => part(record));
  return [test, ...told].filter((part) => part !== '').join(' · ');
}

export function machine(records: Records): Html {
  const [first] = records as readonly [BenchRecord];
  const distinct = (value: (record: BenchRecord) => string): string =>
    [...new Set(records.map(value))].join('; ');
  const facts: readonly (readonly [string, string])[] = [
    [
      'Models',
      distinct(
        (record) =>
          `${modelName(record)}, ${bytes(record.model_size)}, ${count(record.model_n_params)} parameters`,
      ),
    ],
    ['Processor', `${first.cpu_info}, ${first.cpu_count} cores seen`],
    ['Instruction set', distinct(({ isa }) => isa)],
    ['Threads', distinct(({ n_threads }) => String(n_threads))],
    ['Arithmetic', distinct(({ precision, type_k }) => `precision ${precision}, KV cache ${type_k}`)],
    [
      'Memory',
      `${bytes(first.memory_total_bytes)}; most that the process held: ${bytes(Math.max(...records.map((record) => record.memory_peak_bytes)))}`,
    ],
    ['Loading', loadTimes(records)],
    ['Build', distinct((record) => `gpt-neox ${record.version}, ${record.build_commit}`)],
    ['System', distinct((record) => `${record.os}, Node.js ${record.node}`)],
    ['Measured', distinct((record) => record.test_time.slice(0, 16).replace('T', ' '))],
  ];
  return html`<dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd><bdi>${value}</bdi></dd>`)}</dl>`;
}

function loadTimes(records: Records): string {
  const times = records.flatMap(({ load_ms }) => (load_ms === null ? [] : [milliseconds(load_ms)]));
  return times.length === 0 ? 'not measured' : [...new Set(times)].join('; ');
}

export function doubts(records: Records): Html | undefined {
  const bad = records.filter(({ reliable }) => !reliable);
  const isKnown = records.every(
    ({ spread, others_cpu, steal }) => spread !== null && others_cpu !== null && steal !== null,
  );
  if (bad.length === 0 && !isKnown) {
    return html`<p class="soft">Nothing speaks against a test, but not all could be told: one run alone has no spread, and of less than 0.2 seconds, or on some systems, nothing is known of other processes or of the host.</p>`;
  }
  if (bad.length === 0) {
    return html`<p class="soft">Every test agreed with itself: the middle half of its runs spreads over at most 5 % of the median, on a quiet machine.</p>`;
  }
  return html`<h2>Not to be relied on</h2><ul class="warn">${bad.map(
    (record) => html`<li><bdi>${labelOf(record, records)}</bdi>: ${record.unreliable_because}</li>`,
  )}</ul>`;
}

/** Median speeds as bars, single runs as dots. */
export function speed(
  records: Records,
  title: string,
  isOf: (record: BenchRecord) => boolean,
  id: string,
): Html | undefined {
  const list = records.filter(isOf);
  if (list.length === 0) return undefined;
  const about = {
    id,
    title: `${title}: tokens per second`,
    description: list
      .map((record) => `${labelOf(record, records)}: ${rate(record.median_ts)} tokens per second.`)
      .join(' '),
    head: ['test', 'median', 'mean', 'deviation', 'least', 'most', 'runs'],
    rows: list.map((record) => [
      labelOf(record, records),
      record.median_ts,
      record.avg_ts,
      record.stddev_ts,
      record.min_ts,
      record.max_ts,
      record.samples_ts.length,
    ]),
  };
  return bars(
    about,
    list.map((record) => ({
      label: labelOf(record, records),
      value: record.median_ts,
      text: rate(record.median_ts),
      samples: record.samples_ts,
      isDoubtful: !record.reliable,
    })),
  );
}

/** How near each test came to what the machine can do at best. */
export function ceilings(records: Records): Html | undefined {
  const list = records.filter((record) => reached(record).ratio !== null);
  if (list.length === 0) return undefined;
  const share = (record: BenchRecord): number => 100 * (reached(record).ratio ?? 0);
  const yardstick = (record: BenchRecord): string => {
    if (record.read_gb_per_s !== null) return `reads ${rate(record.ceiling_read_gb_per_s ?? 0)} GB/s`;
    const { name, ceiling } = productYardstick(record);
    return `${name} ${rate(ceiling ?? 0)} Gop/s`;
  };
  const about = {
    id: 'c',
    title: "Share of the machine's best, measured in the same process",
    description: list
      .map(
        (record) =>
          `${labelOf(record, records)}: ${share(record).toFixed(0)} percent of ${yardstick(record)}.`,
      )
      .join(' '),
    head: ['test', 'reached', 'ceiling', 'share in %'],
    rows: list.map((record) => [
      labelOf(record, records),
      reached(record).value,
      yardstick(record),
      share(record),
    ]),
  };
  const list100 = list.map((record) => ({
    label: `${labelOf(record, records)}: ${reached(record).value}`,
    value: share(record),
    text: `${share(record).toFixed(0)} %`,
    isDoubtful: !record.reliable,
  }));
  return html`<h2>Against the ceilings</h2>
<p class="soft">A generation reads every weight once for each step, so its yardstick is how fast memory can be read; that of a
prompt is the arithmetic of its matrix products. What fits into the processor's caches can be read faster than memory.</p>
${ceilingSentences(records).map((sentence) => html`<p class="soft">${sentence}.</p>`)}
${bars(about, list100, { value: 100, label: 'ceiling' })}`;
}

/** Latencies, as who reads the answer sees them. */
export function reader(records: Records): Html | undefined {
  const list = records.filter(({ ttft_ms, itl_p50_ms }) => ttft_ms !== null || itl_p50_ms !== null);
  if (list.length === 0) return undefined;
  const ms = (value: number | null): string => (value === null ? '-' : milliseconds(value));
  return html`<h2>What a reader sees</h2>${table(
    [
      'test',
      'first token after',
      'between tokens, median',
      '99th percentile',
      'tokens per second',
      'characters per second',
    ],
    list.map((record) => [
      labelOf(record, records),
      ms(record.ttft_ms),
      ms(record.itl_p50_ms),
      ms(record.itl_p99_ms),
      record.gen_ts === null ? '-' : rate(record.gen_ts),
      record.gen_chars_per_s === null ? '-' : rate(record.gen_chars_per_s),
    ]),
  )}`;
}

export function allResults(records: Records): Html {
  return table(
    ['model', 'isa', 'precision', 'kv', 'threads', 'test', 'median', 'spread in %', 'reached', 'of ceiling'],
    records.map((record) => [
      modelName(record),
      record.isa,
      record.precision,
      record.type_k,
      record.n_threads,
      recordName(record),
      record.median_ts,
      record.spread === null ? '-' : 100 * record.spread,
      reached(record).value,
      reached(record).share,
    ]),
  );
}
