// The results of `neox bench`. Field names are llama-bench's, so that its scripts read them; the last ones are our own.

import { cpus } from 'node:os';
import { basename } from 'node:path';
import { type Ceilings, type Model, type ModelInspection, systemInfo } from '../index.js';
import { bytesPerToken, modelCost, promptOperations } from './bench-cost.js';
import { type BenchTest, testName } from './bench-measure.js';
import { bytes, count, rate } from './values.js';

export interface BenchInput {
  model: Model;
  found: ModelInspection;
  path: string;
  test: BenchTest;
  time: Date;
  /** Nanoseconds. */
  samples: readonly number[];
  /** Of the same test with one sequence. */
  single: readonly number[] | undefined;
  ceilings: Ceilings | undefined;
}

export type BenchRecord = ReturnType<typeof makeRecord>;

export function makeRecord({ model, found, path, test, time, samples, single, ceilings }: BenchInput) {
  const { version, isa } = systemInfo();
  const { threads, precision, kvCacheType, device } = model.info;
  const cost = modelCost(found, kvCacheType);
  const tokens = test.nPrompt + test.nGen * test.sequences;
  const speeds = samples.map((ns) => (1e9 * tokens) / ns);
  const median = medianOf(speeds);
  const isPrompt = test.nPrompt > 0;
  return {
    build_commit: `gpt-neox ${version}`,
    build_number: 0,
    cpu_info: cpus()[0]?.model ?? '',
    gpu_info: '',
    backends: device.toUpperCase(),
    model_filename: path,
    model_type: `gptneox ${count(cost.nParams)} ${found.fileType ?? found.type}`,
    model_size: model.info.weightsBytes,
    model_n_params: cost.nParams,
    n_threads: threads,
    type_k: kvCacheType,
    type_v: kvCacheType,
    n_gpu_layers: 0,
    n_prompt: test.nPrompt,
    n_gen: test.nGen,
    n_depth: test.depth,
    n_sequences: test.sequences,
    test_time: time.toISOString(),
    avg_ns: Math.round(meanOf(samples)),
    stddev_ns: Math.round(deviationOf(samples)),
    avg_ts: meanOf(speeds),
    stddev_ts: deviationOf(speeds),
    samples_ns: [...samples],
    samples_ts: speeds,
    median_ts: median,
    min_ts: Math.min(...speeds),
    max_ts: Math.max(...speeds),
    isa,
    precision,
    /** Time of a step against that of one sequence: what verifying a draft of `n_sequences` - 1 tokens costs. */
    step_cost: single && !isPrompt ? medianOf(samples) / medianOf(single) : null,
    /** Of the median: bytes read per second by a generation, operations of the matrix products by a prompt. */
    read_gb_per_s: isPrompt ? null : (median * bytesPerToken(cost, test)) / 1e9,
    matmul_gop_per_s: isPrompt ? (median / test.nPrompt) * (promptOperations(cost, test) / 1e9) : null,
    ceiling_read_gb_per_s: ceilings?.readGbPerS ?? null,
    ceiling_int8_gop_per_s: ceilings?.int8GopPerS ?? null,
    ceiling_f32_gflop_per_s: ceilings?.f32GflopPerS ?? null,
  };
}

/** The writers of `-o`. */
export const FORMATS = {
  md: markdown,
  csv: (records: readonly BenchRecord[]) => csv(records),
  json: (records: readonly BenchRecord[]) => `${JSON.stringify(records, null, 2)}\n`,
  jsonl: (records: readonly BenchRecord[]) => records.map((record) => `${JSON.stringify(record)}\n`).join(''),
} as const;

export function formatRecords(records: readonly BenchRecord[], format: keyof typeof FORMATS): string {
  return FORMATS[format](records);
}

function markdown(records: readonly BenchRecord[]): string {
  const head = [
    'model',
    'size',
    'params',
    'isa',
    'precision',
    'threads',
    'test',
    't/s',
    'median',
    'step',
    'reached',
    'of ceiling',
  ];
  const rows = records.map((record) => [
    `${basename(record.model_filename)} (${record.model_type})`,
    bytes(record.model_size),
    count(record.model_n_params),
    record.isa,
    record.precision,
    String(record.n_threads),
    recordName(record),
    `${rate(record.avg_ts)} ± ${rate(record.stddev_ts)}`,
    rate(record.median_ts),
    record.step_cost === null ? '-' : `${record.step_cost.toFixed(2)} x`,
    ...reached(record),
  ]);
  const lines = [head, head.map((_, column) => (column > 4 ? '---:' : '---')), ...rows];
  const table = lines.map((cells) => `| ${cells.join(' | ')} |\n`).join('');
  const [first] = records;
  if (first === undefined || first.ceiling_read_gb_per_s === null) return table;
  return `${table}\n${ceilingLine(first)}\n`;
}

function recordName(record: BenchRecord): string {
  const { n_prompt: nPrompt, n_gen: nGen, n_depth: depth, n_sequences: sequences } = record;
  return testName({ nPrompt, nGen, depth, sequences });
}

// The yardstick of a generation is reading; that of a prompt is the arithmetic of its precision.
function reached(record: BenchRecord): [string, string] {
  const { read_gb_per_s: read, matmul_gop_per_s: products } = record;
  const ceiling = read !== null ? record.ceiling_read_gb_per_s : productCeiling(record);
  const value = read ?? products ?? 0;
  const unit = read !== null ? 'GB/s' : 'Gop/s';
  return [`${rate(value)} ${unit}`, ceiling ? `${((100 * value) / ceiling).toFixed(0)} %` : '-'];
}

function productCeiling(record: BenchRecord): number | null {
  return record.precision === 'fast' ? record.ceiling_int8_gop_per_s : record.ceiling_f32_gflop_per_s;
}

function ceilingLine(record: BenchRecord): string {
  const { ceiling_read_gb_per_s: read, ceiling_int8_gop_per_s: int8, ceiling_f32_gflop_per_s: f32 } = record;
  const products = `int8 ${rate(int8 ?? 0)} Gop/s, f32 ${rate(f32 ?? 0)} Gflop/s`;
  return `ceilings of this machine, ${record.n_threads} threads: reads ${rate(read ?? 0)} GB/s, ${products}`;
}

function csv(records: readonly BenchRecord[]): string {
  const [first] = records;
  if (first === undefined) return '';
  const cell = (value: unknown): string => `"${String(value ?? '').replaceAll('"', '""')}"`;
  const line = (cells: unknown[]): string => `${cells.map(cell).join(',')}\n`;
  return line(Object.keys(first)) + records.map((record) => line(Object.values(record))).join('');
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

// Of a sample, as llama-bench has it; 0 for one value.
function deviationOf(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
