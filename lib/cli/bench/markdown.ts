// The table of `neox bench` for people: llama-bench's columns, and how near the machine's ceilings each test came.

import { basename } from 'node:path';
import { escapeControls } from '../io.js';
import { bytes, count, milliseconds, rate } from '../values.js';
import { PROFILE_HEAD, phaseTitle, profileRows } from './profile.js';
import { type BenchRecord, recordName } from './record.js';
import { ceilingSentences, reached } from './yardstick.js';

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
