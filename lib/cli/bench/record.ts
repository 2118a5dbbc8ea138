// One result of `neox bench`. Field names are llama-bench's as far as it has them, so that its scripts read ours; what we have
// no setting for gets the value that stands for none there.

import type { Model, ModelInspection } from '../../index.js';
import { count } from '../values.js';
import { bytesPerToken, modelCost, promptOperations } from './cost.js';
import { bestCeilings, type MeasuredCeilings, type machineFields, peakMemory } from './machine.js';
import { totalNs } from './measure.js';
import type { ProfiledPhase } from './profile.js';
import type { Measured } from './repeat.js';
import { deviationOf, meanOf, medianOf, quantileOf } from './statistics.js';
import { type BenchTest, type TestKind, testKind, testName } from './tests.js';

export interface BenchInput {
  machine: ReturnType<typeof machineFields>;
  model: Model;
  found: ModelInspection;
  path: string;
  /** null where the weights of an earlier load were taken. */
  loadMs: number | null;
  test: BenchTest;
  time: Date;
  measured: Measured;
  ceilings: readonly MeasuredCeilings[];
}

export type BenchRecord = ReturnType<typeof makeRecord>;

// The rows that the engine takes through the network at once, at most.
const PASS_ROWS = 512;

export function makeRecord(input: BenchInput) {
  const { machine, model, found, path, test, time, measured } = input;
  const { threads, precision, kvCacheType, device, gpuLayers, weightsBytes } = model.info;
  const { version, cpu_count, isa, os, node, memory_total_bytes, load_average, ...build } = machine;
  const { nParams } = modelCost(found, kvCacheType);
  const samples = measured.runs.map(totalNs);
  const speeds = samples.map((ns) => (1e9 * (test.nPrompt + test.nGen * test.sequences)) / ns);
  return {
    ...build,
    gpu_info: '',
    backends: device.toUpperCase(),
    model_filename: path,
    model_type: `gptneox ${count(nParams)} ${found.fileType ?? found.type}`,
    model_size: weightsBytes,
    model_n_params: nParams,
    n_batch: PASS_ROWS,
    n_ubatch: PASS_ROWS,
    n_threads: threads,
    cpu_mask: '0x0',
    cpu_strict: false,
    poll: 0,
    type_k: kvCacheType,
    type_v: kvCacheType,
    n_gpu_layers: gpuLayers,
    n_cpu_moe: 0,
    split_mode: 'none',
    main_gpu: 0,
    no_kv_offload: false,
    flash_attn: -1,
    devices: 'auto',
    tensor_split: '0.00',
    tensor_buft_overrides: 'none',
    load_mode: 'none',
    use_mmap: false,
    embeddings: false,
    no_op_offload: 0,
    no_host: false,
    fit_target: 0,
    fit_min_ctx: 0,
    n_prompt: test.nPrompt,
    n_gen: test.nGen,
    n_depth: test.depth,
    test_time: time.toISOString(),
    avg_ns: Math.round(meanOf(samples)),
    stddev_ns: Math.round(deviationOf(samples)),
    avg_ts: meanOf(speeds),
    stddev_ts: deviationOf(speeds),
    samples_ns: samples,
    samples_ts: speeds,
    test_kind: testKind(test),
    n_sequences: test.sequences,
    median_ts: medianOf(speeds),
    min_ts: Math.min(...speeds),
    max_ts: Math.max(...speeds),
    ...latencies(test, measured),
    step_cost: null as number | null,
    spread: measured.spread,
    steal: measured.steal,
    others_cpu: measured.others,
    reliable: measured.doubts.length === 0,
    unreliable_because: measured.doubts.join('; '),
    ...reached(input),
    precision,
    isa,
    version,
    os,
    node,
    cpu_count,
    memory_total_bytes,
    memory_peak_bytes: peakMemory(),
    load_average,
    load_ms: input.loadMs,
    profile: [] as ProfiledPhase[],
    ...ceilingFields(input.ceilings),
  };
}

/** As a table names its test: `pp512`, `tg128 @ d1024`. */
export function recordName(record: BenchRecord): string {
  const { n_prompt: nPrompt, n_gen: nGen, n_depth: depth, n_sequences: sequences, test_kind } = record;
  return testName({ nPrompt, nGen, depth, sequences }, test_kind as TestKind);
}

/** Of the ceilings that were measured last: before the tests of a model, and once more after them. */
export function ceilingFields(measured: readonly MeasuredCeilings[]) {
  const best = measured.length > 0 ? bestCeilings(measured) : undefined;
  return {
    ceiling_read_gb_per_s: best?.readGbPerS ?? null,
    ceiling_int8_gop_per_s: best?.int8GopPerS ?? null,
    ceiling_int16_gop_per_s: best?.int16GopPerS ?? null,
    ceiling_f32_gflop_per_s: best?.f32GflopPerS ?? null,
    ceilings: measured.map((each) => ({
      time: each.time,
      unreliable_because: each.doubts.join('; '),
      read_gb_per_s: each.readGbPerS,
      int8_gop_per_s: each.int8GopPerS,
      int16_gop_per_s: each.int16GopPerS,
      f32_gflop_per_s: each.f32GflopPerS,
    })),
  };
}

// As the caller sees them: the first token after the call, then from token to token.
function latencies(test: BenchTest, { runs }: Measured) {
  const { nPrompt, nGen, sequences } = test;
  const gaps = nGen > 0 ? runs.flatMap((run) => run.gapsMs) : [];
  const decode = medianOf(runs.map((run) => run.decodeNs));
  const isText = testKind(test) === 'text';
  return {
    ttft_ms: nPrompt > 0 ? medianOf(runs.map((run) => run.firstTokenMs)) : null,
    itl_p50_ms: gaps.length > 0 ? medianOf(gaps) : null,
    itl_p99_ms: gaps.length > 0 ? quantileOf(gaps, 0.99) : null,
    /** Of the generated tokens alone, the first one aside. */
    gen_ts: nGen > 0 ? (1e9 * nGen * sequences) / decode : null,
    gen_chars_per_s: isText ? (1e9 * medianOf(runs.map((run) => run.characters))) / decode : null,
  };
}

// Of the medians: bytes read per second while generating, operations of the matrix products per second of a prompt.
function reached({ model, found, test, measured: { runs } }: BenchInput) {
  const cost = modelCost(found, model.info.kvCacheType);
  const steps = test.nGen * test.sequences;
  const decode = medianOf(runs.map((run) => run.decodeNs));
  const prefill = medianOf(runs.map((run) => run.prefillNs));
  return {
    read_gb_per_s: steps > 0 ? (steps * bytesPerToken(cost, test)) / decode : null,
    matmul_gop_per_s: test.nPrompt > 0 ? promptOperations(cost, test) / prefill : null,
  };
}
