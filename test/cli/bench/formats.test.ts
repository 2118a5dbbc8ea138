import { spawnSync } from 'node:child_process';
import { csv, json, jsonl, sql } from '../../../lib/cli/bench/formats.js';
import { markdown } from '../../../lib/cli/bench/markdown.js';
import { productYardstick } from '../../../lib/cli/bench/yardstick.js';
import { python, testWhere } from '../../integration/python.js';
import { benchRecord } from './records.js';

// llama-bench's columns in their order, and what its script compare-llama-bench.py wants beside them.
const LLAMA_BENCH = (
  'build_commit build_number cpu_info gpu_info backends model_filename model_type model_size model_n_params n_batch n_ubatch ' +
  'n_threads cpu_mask cpu_strict poll type_k type_v n_gpu_layers n_cpu_moe split_mode main_gpu no_kv_offload flash_attn devices ' +
  'tensor_split tensor_buft_overrides load_mode embeddings no_op_offload no_host fit_target fit_min_ctx n_prompt n_gen n_depth ' +
  'test_time avg_ns stddev_ns avg_ts stddev_ts'
).split(' ');

const hostile = benchRecord({
  model_filename: `a'b"c|d\u001b[31m\n${'`'}.gguf`,
  test_kind: 'tg',
  n_prompt: 0,
  n_gen: 32,
});
const records = [
  benchRecord({ reliable: false, unreliable_because: 'the repetitions scatter by 12 %' }),
  hostile,
];

test("every column of llama-bench is there, in llama-bench's order", () => {
  const names = csv(records).split('\n', 1)[0]?.split(',') ?? [];
  expect(names.filter((name) => LLAMA_BENCH.includes(name))).toEqual(LLAMA_BENCH);
  expect(names).toContain('use_mmap');
  expect(names).not.toContain('samples_ns');
  const [first] = JSON.parse(json(records)) as Record<string, unknown>[];
  expect(Object.keys(first ?? {})).toEqual(
    expect.arrayContaining([...LLAMA_BENCH, 'samples_ns', 'samples_ts']),
  );
});

test('csv quotes every value, writes booleans as llama-bench does and nothing as an empty cell', () => {
  const [, line = ''] = csv([benchRecord({ model_filename: 'a "b", c' })]).split('\n');
  expect(line).toMatch(/^"0123abcde","7","A processor","","CPU","a ""b"", c",/);
  expect(line).toContain('"0x0","0","0","f16","f16"');
  expect(line).toContain('"5121.5","","","","","","0.01"');
});

test('jsonl is one record a line', () => {
  const lines = jsonl(records).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual(JSON.parse(json(records)));
});

testWhere('sqlite3')('sqlite takes the sql, whatever a file is called', () => {
  const script = [
    'import json, sqlite3, sys',
    'db = sqlite3.connect(":memory:")',
    'db.executescript(sys.stdin.read())',
    'rows = db.execute("SELECT model_filename, typeof(n_gen), typeof(avg_ts), typeof(read_gb_per_s), reliable FROM llama_bench")',
    'print(json.dumps(rows.fetchall()))',
  ].join('\n');
  const run = spawnSync(python, ['-c', script], { input: sql(records), encoding: 'utf8' });
  expect(run.stderr).toBe('');
  expect(JSON.parse(run.stdout)).toEqual([
    ['models/m.gguf', 'integer', 'real', 'null', 0],
    [hostile.model_filename, 'integer', 'real', 'null', 1],
  ]);
});

test('the table escapes what a file may be called, and tells what is in doubt', () => {
  const text = markdown(records);
  const [head = '', rule = '', first = '', second = ''] = text.split('\n');
  expect(rule.match(/\|/g)).toHaveLength((head.match(/\|/g) ?? []).length);
  expect(first).toBe(
    '| m.gguf (gptneox 3.61 B Q4_0) | 2.00 GiB | 3.61 B | avx512vnni | fast | f16 | 2 | pp512 | 100 ± 1.00 | 100 ? | 5.12 s | - | - | 700 Gop/s | 76 % |',
  );
  expect(second).toContain('| a\'b"c\\|d\\x1b[31m `.gguf (gptneox 3.61 B Q4_0) |');
  expect(text).toContain(
    'ceilings of this machine, 2 threads: reads 37.0 GB/s, int8 920 Gop/s, int16 470 Gop/s, f32 230 Gflop/s\n',
  );
  expect(text).toContain('? pp512: not to be relied on: the repetitions scatter by 12 %\n');
});

test('ceilings are told with what was measured before and after, and that they may be too low', () => {
  const measured = (read_gb_per_s: number, unreliable_because: string) => ({
    ...{ time: '2026-11-21T12:00:00.000Z', read_gb_per_s, unreliable_because },
    ...{ int8_gop_per_s: 920, int16_gop_per_s: 470, f32_gflop_per_s: 230 },
  });
  const busy = 'other processes took 1.0 of 2 cores';
  const sentence = (first: string, second: string) =>
    markdown([benchRecord({ ceilings: [measured(37, first), measured(31, second)] })]);
  expect(sentence('', busy)).toContain('reads 37.0 GB/s (37.0 before, 31.0 after), int8 920 Gop/s');
  expect(sentence('', busy)).not.toContain('perhaps');
  expect(sentence(busy, busy)).toContain(`f32 230 Gflop/s; perhaps too low: ${busy}\n`);
});

test('a prompt is compared with the arithmetic that its weights take', () => {
  const name = (precision: 'exact' | 'high' | 'fast', type: string, int16 = 470) =>
    productYardstick(
      benchRecord({ precision, model_type: `gptneox 3.61 B ${type}`, ceiling_int16_gop_per_s: int16 }),
    ).name;
  expect(['Q4_0', 'Q4_K_M', 'IQ4_NL', 'Q8_0'].map((type) => name('fast', type))).toEqual(
    Array(4).fill('int8'),
  );
  expect(['F32', 'F16', 'BF16'].map((type) => name('fast', type))).toEqual(Array(3).fill('int16'));
  expect([name('fast', 'F16', 0), name('high', 'Q4_0', 0), name('exact', 'Q4_0')]).toEqual(
    Array(3).fill('f32'),
  );
  expect(name('high', 'Q4_0')).toBe('int16');
});

test('nothing measured is nothing written', () => {
  expect([csv([]), sql([]), jsonl([]), json([])]).toEqual(['', '', '', '[]\n']);
});
