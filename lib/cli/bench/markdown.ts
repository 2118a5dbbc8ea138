// The table of `neox bench` for people: llama-bench's columns, and how near the machine's ceilings each test came.

import { basename } from 'node:path';
import { escapeControls } from '../io.js';
import { bytes, count, milliseconds, rate } from '../values.js';
import { PROFILE_HEAD, phaseTitle, profileRows } from './profile.js';
import type { BenchRecord } from './record.js';
import { type TestKind, testName } from './tests.js';

type Column = readonly [head: string, isNumber: boolean, cell: (record: BenchRecord) => string];

const columns: readonly Column[] = [
  ['model', false, ({ model_filename, model_type }) => `${basename(model_filename)} (${model_type})`],
  ['size', false, ({ model_size }) => bytes(model_size)],
  ['params', false, ({ model_n_params }) => count(model_n_params)],
  ['isa', false, ({ isa }) => isa],
  ['precision', false, ({ precision }) => precision],
  ['kv', false, ({ type_k }) => type_k],
  ['threads', true, ({ n_threads }) => String(n_threads)],
  ['test', true, recordName],
  ['t/s', true, ({ avg_ts, stddev_ts }) => `${rate(avg_ts)} ± ${rate(stddev_ts)}`],
  ['median', true, ({ median_ts, reliable }) => `${rate(median_ts)}${reliable ? '' : ' ?'}`],
  ['first', true, ({ ttft_ms }) => (ttft_ms === null ? '-' : milliseconds(ttft_ms))],
  [
    'between',
    true,
    ({ itl_p50_ms: p50, itl_p99_ms: p99 }) =>
      p50 === null || p99 === null ? '-' : `${rate(p50)} / ${rate(p99)} ms`,
  ],
  ['step', true, ({ step_cost }) => (step_cost === null ? '-' : `${step_cost.toFixed(2)} x`)],
  ['reached', true, (record) => reached(record).value],
  ['of ceiling', true, (record) => reached(record).share],
];

export function markdown(records: readonly BenchRecord[]): string {
  const table = tableOf(
    columns.map(([head]) => head),
    columns.map(([, isNumber]) => isNumber),
    records.map((record) => columns.map(([, , cell]) => cell(record))),
  );
  const profiles = records.map(profileTables);
  return [
    table,
    ...profiles,
    ceilingSentences(records)
      .map((sentence) => `${sentence}\n`)
      .join(''),
    doubtLines(records),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function tableOf(head: readonly string[], isNumber: readonly boolean[], rows: readonly string[][]): string {
  const rule = isNumber.map((each) => (each ? '---:' : '---'));
  const lines = [head, rule, ...rows.map((cells) => cells.map(escapeCell))];
  return lines.map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

function profileTables(record: BenchRecord): string {
  const isNumber = PROFILE_HEAD.map((_, column) => column > 0);
  return record.profile
    .map((phase) => {
      const title = `${recordName(record)}, ${record.n_threads} threads: ${phaseTitle(phase)}`;
      return `${title}\n\n${tableOf(PROFILE_HEAD, isNumber, profileRows(phase))}`;
    })
    .join('\n');
}

export function recordName(record: BenchRecord): string {
  const { n_prompt: nPrompt, n_gen: nGen, n_depth: depth, n_sequences: sequences, test_kind } = record;
  return testName({ nPrompt, nGen, depth, sequences }, test_kind as TestKind);
}

/** The yardstick of a generation is reading; that of a prompt is the arithmetic of its precision. */
export function reached(record: BenchRecord): { value: string; share: string; ratio: number | null } {
  const { read_gb_per_s: read, matmul_gop_per_s: products } = record;
  const ceiling = read !== null ? record.ceiling_read_gb_per_s : productYardstick(record).ceiling;
  const value = read ?? products ?? 0;
  const ratio = ceiling ? value / ceiling : null;
  return {
    value: `${rate(value)} ${read !== null ? 'GB/s' : 'Gop/s'}`,
    share: ratio === null ? '-' : `${(100 * ratio).toFixed(0)} %`,
    ratio,
  };
}

/** The arithmetic that a prompt's products are compared with. */
export function productYardstick(record: BenchRecord): {
  name: 'int8' | 'bf16' | 'f32';
  ceiling: number | null;
} {
  const isQuantized = !/(^| )(F32|F16|BF16)$/.test(record.model_type);
  if (record.precision === 'fast' && isQuantized) {
    return { name: 'int8', ceiling: record.ceiling_int8_gop_per_s };
  }
  // Without products in bf16 it is f32 arithmetic.
  const bf16 = record.precision === 'exact' ? null : record.ceiling_bf16_gflop_per_s;
  return bf16 ? { name: 'bf16', ceiling: bf16 } : { name: 'f32', ceiling: record.ceiling_f32_gflop_per_s };
}

/** What the ceilings of each load were, in a sentence; nothing where they were not measured. */
export function ceilingSentences(records: readonly BenchRecord[]): string[] {
  const sentences = records.map((record) => {
    const {
      ceiling_read_gb_per_s: read,
      ceiling_int8_gop_per_s: int8,
      ceiling_bf16_gflop_per_s: bf16,
      ceiling_f32_gflop_per_s: f32,
    } = record;
    if (read === null) return '';
    const reads = record.ceilings.map((each) => rate(each.read_gb_per_s)).join(' before, ');
    const products = `int8 ${rate(int8 ?? 0)} Gop/s, bf16 ${rate(bf16 ?? 0)} Gflop/s, f32 ${rate(f32 ?? 0)} Gflop/s`;
    const after = record.ceilings.length > 1 ? ` (${reads} after)` : '';
    const isDoubtful = record.ceilings.length > 0 && record.ceilings.every((each) => each.unreliable_because);
    const doubt = isDoubtful ? `; perhaps too low: ${record.ceilings.at(-1)?.unreliable_because}` : '';
    return `ceilings of this machine, ${record.n_threads} threads: reads ${rate(read)} GB/s${after}, ${products}${doubt}`;
  });
  return [...new Set(sentences)].filter((sentence) => sentence !== '');
}

function doubtLines(records: readonly BenchRecord[]): string {
  return records
    .filter(({ reliable }) => !reliable)
    .map((record) => `? ${recordName(record)}: not to be relied on: ${record.unreliable_because}\n`)
    .join('');
}

// A file may have any name.
function escapeCell(text: string): string {
  return escapeControls(text.replaceAll('\n', ' ').replaceAll('\t', ' ')).replaceAll('|', '\\|');
}
