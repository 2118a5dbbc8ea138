// Which columns of a result are settings, so that results which differ in them are not of one test.

import type { BenchRecord } from './record.js';

// Also by names that they had once.
type Ceiling = `ceiling_${string}`;

// What names the model or the test, and what was found out. A column that is not known is a setting: better a pair too few.
type NoSetting = Exclude<
  keyof BenchRecord,
  | (
      | 'backends'
      | 'n_batch'
      | 'n_ubatch'
      | 'n_threads'
      | 'cpu_mask'
      | 'cpu_strict'
      | 'poll'
      | 'type_k'
      | 'type_v'
    )
  | ('n_gpu_layers' | 'n_cpu_moe' | 'split_mode' | 'main_gpu' | 'no_kv_offload' | 'flash_attn' | 'devices')
  | ('tensor_split' | 'tensor_buft_overrides' | 'load_mode' | 'use_mmap' | 'embeddings' | 'no_op_offload')
  | ('no_host' | 'fit_target' | 'fit_min_ctx' | 'precision')
  | Ceiling
>;

const NO_SETTINGS: Record<NoSetting, true> = {
  ...{ build_commit: true, build_number: true, version: true, isa: true, os: true, node: true },
  ...{ cpu_info: true, cpu_count: true, gpu_info: true, memory_total_bytes: true, load_average: true },
  ...{ model_filename: true, model_type: true, model_size: true, model_n_params: true },
  ...{ n_prompt: true, n_gen: true, n_depth: true, n_sequences: true, test_kind: true, test_time: true },
  ...{ avg_ns: true, stddev_ns: true, avg_ts: true, stddev_ts: true, samples_ns: true, samples_ts: true },
  ...{ median_ts: true, min_ts: true, max_ts: true, ttft_ms: true, itl_p50_ms: true, itl_p99_ms: true },
  ...{ gen_ts: true, gen_chars_per_s: true, step_cost: true, spread: true, steal: true, others_cpu: true },
  ...{ reliable: true, unreliable_because: true, read_gb_per_s: true, matmul_gop_per_s: true },
  ...{ memory_peak_bytes: true, load_ms: true, profile: true, ceilings: true },
};

export type Settings = Readonly<Record<string, unknown>>;

export function settingsOf(record: Readonly<Record<string, unknown>>): Settings {
  const isSetting = (name: string) => !Object.hasOwn(NO_SETTINGS, name) && !name.startsWith('ceiling_');
  return Object.fromEntries(Object.entries(record).filter(([name]) => isSetting(name)));
}

/** Of these columns; what is absent is equal to what is absent. */
export function settingsKey(settings: Settings, names: Iterable<string>): string {
  return JSON.stringify([...names].map((name) => [name, settings[name] ?? null]));
}

/** The columns that every one has. */
export function sharedNames(all: readonly Settings[]): string[] {
  const [first = {}, ...others] = all;
  return Object.keys(first)
    .filter((name) => others.every((each) => Object.hasOwn(each, name)))
    .sort();
}

/** The columns in which some differ from others. */
export function varyingNames(all: readonly Settings[]): string[] {
  const names = new Set(all.flatMap((each) => Object.keys(each)));
  return [...names].filter((name) => new Set(all.map((each) => settingsKey(each, [name]))).size > 1).sort();
}
