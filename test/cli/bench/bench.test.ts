import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesPerToken, modelCost, promptOperations } from '../../../lib/cli/bench/cost.js';
import { doubts } from '../../../lib/cli/bench/noise.js';
import type { BenchRecord } from '../../../lib/cli/bench/record.js';
import { meanOf, medianOf } from '../../../lib/cli/bench/statistics.js';
import type { ModelInspection } from '../../../lib/index.js';
import { expectFailure, makeTinyModel, neox, temporaryFolder } from '../program.js';

const folder = temporaryFolder();
afterAll(folder.remove);
let tiny: string;
let quick: string[];
beforeAll(async () => {
  tiny = await makeTinyModel(folder.path);
  quick = ['-m', tiny, '-r', '2', '--max-repetitions', '2', '-t', '1'];
});

type Fields = Record<string, unknown>;

describe('bench', () => {
  test('json has the fields of llama-bench and ours', async () => {
    const args = [...quick, '-p', '32', '-n', '8', '-pg', '16,4', '--text', '-o', 'json'];
    const { status, stdout, stderr } = await neox(['bench', ...args]);
    expect(status).toBe(0);
    const line = String.raw`: [\d.]+ [\d.]+ tokens\/s.*\n`;
    expect(stderr).toMatch(
      new RegExp(
        String.raw`^neox: pp32${line}neox: tg8${line}neox: pp16\+tg4${line}neox: text\d+\+tg8${line}$`,
      ),
    );
    const [prompt, generation, both, text] = JSON.parse(stdout) as Fields[];
    expect(prompt).toMatchObject({ n_prompt: 32, n_gen: 0, n_depth: 0, n_threads: 1, model_filename: tiny });
    expect(generation).toMatchObject({
      n_prompt: 0,
      n_gen: 8,
      backends: 'CPU',
      type_k: 'f16',
      isa: expect.any(String),
    });
    expect(both).toMatchObject({ n_prompt: 16, n_gen: 4, test_kind: 'pg' });
    expect(text).toMatchObject({ n_gen: 8, test_kind: 'text' });
    const positive = [
      'avg_ns',
      'avg_ts',
      'model_size',
      'model_n_params',
      'median_ts',
      'load_ms',
      'memory_total_bytes',
    ];
    for (const record of [prompt, generation, both, text]) {
      for (const name of [
        ...positive,
        'memory_peak_bytes',
        'ceiling_read_gb_per_s',
        'ceiling_f32_gflop_per_s',
      ]) {
        expect({ name, value: record?.[name] }).toEqual({ name, value: expect.any(Number) });
        expect(record?.[name]).toBeGreaterThan(0);
      }
      expect(record?.samples_ns).toHaveLength(2);
      expect(record?.samples_ts).toHaveLength(2);
      expect(record?.ceilings).toHaveLength(2);
      expect(Number.isNaN(Date.parse(String(record?.test_time)))).toBe(false);
      // Of two runs on one thread, by the limits of the noise guard.
      const { spread, others_cpu: others, steal } = record as unknown as BenchRecord;
      expect(record).toMatchObject({
        reliable: doubts(spread, { others, steal }, 1).length === 0,
        unreliable_because: doubts(spread, { others, steal }, 1).join('; '),
      });
    }
    for (const record of [generation, both, text]) expect(record?.read_gb_per_s).toBeGreaterThan(0);
    for (const record of [prompt, both, text]) {
      expect(record?.matmul_gop_per_s).toBeGreaterThan(0);
      expect(record?.ttft_ms).toBeGreaterThan(0);
    }
    expect(text?.gen_chars_per_s).toBeGreaterThan(0);
    expect(generation?.gen_chars_per_s).toBeNull();
    // A prompt with its generation is timed as a whole, as llama-bench does.
    const { samples_ns, samples_ts } = both as { samples_ns: number[]; samples_ts: number[] };
    expect(samples_ts[0]).toBeCloseTo((1e9 * 20) / (samples_ns[0] ?? 0), 3);
    expect(meanOf(samples_ns)).toBeGreaterThan((1e9 * 4) / Number(both?.gen_ts));
  });

  test('lists, ranges, depths and loads make one test each, in a table of markdown', async () => {
    const args = ['-m', tiny, '-r', '1', '--max-repetitions', '1', '--no-ceilings', '--no-warmup', '-t', '1'];
    const lists = ['-p', '8-16*2', '-n', '4', '-d', '0,64', '--kv-cache-type', 'f16,q8_0'];
    const page = join(folder.path, 'page.html');
    const { status, stdout, stderr } = await neox([
      'bench',
      ...args,
      ...lists,
      '--profile',
      '--report',
      page,
    ]);
    expect(status).toBe(0);
    expect(stdout.match(/^\| operation \| ms \|/gm)).toHaveLength(12);
    expect(stderr).toMatch(/\nneox: wrote .*page\.html\n$/);
    const html = readFileSync(page, 'utf8');
    expect(html).toMatch(/^<!doctype html>/);
    expect(html.match(/<figure>/g)?.length).toBeGreaterThan(3);
    const rows = [...stdout.matchAll(/\| (f16|q8_0) \| 1 \| ((?:pp|tg)\d+(?: @ d\d+)?) \|/g)];
    const names = ['pp8', 'pp16', 'tg4', 'pp8 @ d64', 'pp16 @ d64', 'tg4 @ d64'];
    const expected = ['f16', 'q8_0'].flatMap((type) => names.map((name) => [type, name]));
    expect(rows.map(([, type, name]) => [type, name])).toEqual(expected);
    expect(stdout).toContain(' ± ');
  });

  test('several sequences step together, at a cost beside that of one', async () => {
    // Of an odd number of samples the median speed is that of the median time.
    const args = ['-m', tiny, '-t', '1', '-r', '3', '--max-repetitions', '3', '--no-ceilings'];
    const { stdout } = await neox(['bench', ...args, '-p', '0', '-n', '8', '-npl', '3,1,32', '--json']);
    const [three, one, many] = JSON.parse(stdout) as Record<string, number>[];
    expect(one).toMatchObject({ n_sequences: 1, step_cost: 1 });
    expect(three).toMatchObject({ n_gen: 8, n_sequences: 3, step_cost: expect.any(Number) });
    // Were they to run one after the other, each of their steps would cost what one costs.
    expect(many?.step_cost).toBeGreaterThan(2);
    // Every sequence takes all of the steps, so that the times of whole tests tell as much.
    const time = (record: unknown): number => medianOf((record as BenchRecord).samples_ns);
    expect(three?.step_cost).toBeCloseTo(time(three) / time(one), 3);
  });

  test('Ctrl-C ends it with what was measured', async () => {
    const args = ['-m', tiny, '-t', '1', '-r', '1000', '--max-repetitions', '1000', '--no-ceilings'];
    const ended = await neox(['bench', ...args, '-p', '8,256', '-n', '0', '-o', 'jsonl'], {
      onStart: (child) => child.stderr.once('data', () => setTimeout(() => child.kill('SIGINT'), 500)),
    });
    expect(ended.status).toBe(130);
    expect(ended.stderr).toContain('neox: interrupted by SIGINT; what follows is what was measured\n');
    const [whole, part] = ended.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Fields);
    expect(whole?.samples_ns).toHaveLength(1000);
    expect(part?.unreliable_because).toMatch(/^interrupted after \d+ of 1000 repetitions/);
    expect((part?.samples_ns as number[] | undefined)?.length).toBeGreaterThan(0);
  });

  test('Ctrl-C while the ceilings are measured keeps the tests before them', async () => {
    const args = ['-m', tiny, '-t', '1', '-r', '1', '--max-repetitions', '1', '-p', '8', '-n', '0'];
    const page = join(folder.path, 'interrupted.html');
    const ended = await neox(['bench', ...args, '-o', 'jsonl', '--report', page], {
      onStart: (child) => child.stderr.once('data', () => setTimeout(() => child.kill('SIGINT'), 200)),
    });
    expect(ended.status).toBe(130);
    const record = JSON.parse(ended.stdout) as Fields;
    expect(record).toMatchObject({ n_prompt: 8, spread: null });
    expect(record.ceilings).toHaveLength(2);
    expect(readFileSync(page, 'utf8')).toMatch(/<\/html>\s*$/);
    expect(readdirSync(folder.path).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test('what cannot be measured is said before anything is loaded', async () => {
    const fails = async (args: string[], status: number, message: RegExp) =>
      expectFailure(await neox(['bench', '-m', tiny, ...args]), status, message);
    await fails(['-p', '0', '-n', '0'], 2, /Nothing to measure/);
    await fails(['-p', '8-4'], 2, /-p.*range whose end/);
    await fails(['-p', '5-'], 2, /-p.*'5-'.*a list such as 128,512, or a range/);
    await fails(['compares', tiny], 2, /takes no arguments, not 'compares'\. A model is given as -m/);
    await fails(['-fa', '1'], 2, /-fa has nothing to set here/);
    await fails(['-ngl', '99'], 2, /gpuLayers must be from 0 to 2, the layers of the model/);
    await fails(['-ctk', 'q8_0'], 2, /-ctk is --kv-cache-type here/);
    await fails(['-pg', '8'], 2, /-pg.*512,128/);
    await fails(['-o', 'csv', '--json'], 2, /--json and -o csv/);
    await fails(['-r', '4', '--max-repetitions', '3'], 2, /--max-repetitions is less/);
    await fails(['-m', join(folder.path, 'no.gguf')], 3, /ERR_NEOX_FILE_NOT_FOUND/);
    await fails(['--report', join(folder.path, 'none', 'page.html')], 3, /ENOENT/);
    await fails(['--report', folder.path], 2, /--report takes a file/);
    const empty = join(folder.path, 'empty.txt');
    writeFileSync(empty, '');
    await fails(['--text', empty], 2, /--text is empty/);
  });
});

test('the cost of a step counts every weight but the embedding, and of a prompt the head once', () => {
  const tensor = (name: string, shape: number[], loadedBytes: number) => ({ name, shape, loadedBytes });
  const found = {
    config: { numHiddenLayers: 2, hiddenSize: 64, numAttentionHeads: 2 },
    tensors: [
      tensor('token_embd.weight', [128, 64], 16384),
      tensor('blk.0.ffn_up.weight', [256, 64], 32768),
      tensor('blk.0.ffn_up.bias', [256], 1024),
      tensor('output.weight', [128, 64], 16384),
    ],
  } as unknown as ModelInspection;
  const cost = modelCost(found, 'f16');
  expect(cost).toMatchObject({
    nParams: 128 * 64 * 2 + 256 * 64 + 256,
    stepBytes: 32768 + 1024 + 16384,
    rowElements: 256 * 64,
    headElements: 128 * 64,
    kvBytes: 2 * 2 * 64 * 2,
  });
  expect(modelCost(found, 'f32').kvBytes).toBe(2 * cost.kvBytes);
  expect(modelCost(found, 'q8_0').kvBytes).toBe(2 * 2 * 2 * (32 + 2));
  const generation = { nPrompt: 0, nGen: 8, depth: 100, sequences: 1 };
  expect(bytesPerToken(cost, generation)).toBe(cost.stepBytes + 512 * 104);
  expect(bytesPerToken(cost, { ...generation, nPrompt: 50 })).toBe(cost.stepBytes + 512 * 154);
  expect(bytesPerToken(cost, { ...generation, sequences: 4 })).toBe(cost.stepBytes / 4 + 512 * 104);
  expect(promptOperations(cost, { nPrompt: 10, nGen: 0, depth: 0, sequences: 1 })).toBe(
    2 * (10 * 256 * 64 + 128 * 64),
  );
});
