import { join } from 'node:path';
import { bytesPerToken, modelCost, promptOperations } from '../../lib/cli/bench-cost.js';
import type { ModelInspection } from '../../lib/index.js';
import { neox, temporaryFolder } from './program.js';

const folder = temporaryFolder();
afterAll(folder.remove);
const tiny = join(folder.path, 'tiny.gguf');
beforeAll(async () => {
  const args = ['--shape', 'tiny', '--type', 'Q4_0', '--no-tokenizer', '-o', tiny];
  expect((await neox(['synth', ...args])).status).toBe(0);
});

const quick = ['-m', tiny, '-r', '2', '-t', '1'];

describe('bench', () => {
  test('json has the fields of llama-bench and ours', async () => {
    const { status, stdout, stderr } = await neox(['bench', ...quick, '-p', '32', '-n', '8', '-o', 'json']);
    expect(status).toBe(0);
    expect(stderr).toMatch(/^neox: pp32: [\d.]+ [\d.]+ tokens\/s\nneox: tg8: [\d.]+ [\d.]+ tokens\/s\n$/);
    const [prompt, generation] = JSON.parse(stdout) as Record<string, unknown>[];
    expect(prompt).toMatchObject({ n_prompt: 32, n_gen: 0, n_depth: 0, n_threads: 1, model_filename: tiny });
    expect(generation).toMatchObject({
      n_prompt: 0,
      n_gen: 8,
      backends: 'CPU',
      type_k: 'f16',
      precision: 'fast',
    });
    for (const name of [
      'avg_ns',
      'avg_ts',
      'model_size',
      'model_n_params',
      'median_ts',
      'ceiling_read_gb_per_s',
    ]) {
      expect(prompt?.[name]).toBeGreaterThan(0);
    }
    for (const record of [prompt, generation]) {
      expect(record?.samples_ns).toHaveLength(2);
      expect(record?.samples_ts).toHaveLength(2);
      expect(Number.isNaN(Date.parse(String(record?.test_time)))).toBe(false);
    }
    expect(generation?.read_gb_per_s).toBeGreaterThan(0);
    expect(prompt?.matmul_gop_per_s).toBeGreaterThan(0);
    const { samples_ns, avg_ns } = prompt as { samples_ns: number[]; avg_ns: number };
    expect(Math.abs(2 * avg_ns - samples_ns.reduce((sum, ns) => sum + ns))).toBeLessThanOrEqual(1);
  });

  test('lists and depths make one test each, in a table of markdown', async () => {
    const args = [...quick, '--no-ceilings', '-p', '8,16', '-n', '4', '-d', '0,64'];
    const { status, stdout } = await neox(['bench', ...args]);
    expect(status).toBe(0);
    const names = [...stdout.matchAll(/\| ((?:pp|tg)\d+(?: @ d\d+)?) \|/g)].map((match) => match[1]);
    expect(names).toEqual(['pp8', 'pp16', 'tg4', 'pp8 @ d64', 'pp16 @ d64', 'tg4 @ d64']);
    expect(stdout).toContain(' ± ');
  });

  test('several sequences step together, at a cost beside that of one', async () => {
    // Of an odd number of samples the median speed is that of the median time.
    const args = [...quick, '--no-ceilings', '-r', '3', '-p', '0', '-n', '8', '-b', '1,3,32'];
    const { stdout } = await neox(['bench', ...args, '--json']);
    const [one, three, many] = JSON.parse(stdout) as Record<string, number>[];
    expect(one).toMatchObject({ n_sequences: 1, step_cost: 1 });
    expect(three).toMatchObject({ n_gen: 8, n_sequences: 3, step_cost: expect.any(Number) });
    // Were they to run one after the other, each of their steps would cost what one costs.
    expect(many?.step_cost).toBeGreaterThan(2);
    // Both are of the same samples: t/s of three sequences are three tokens a step.
    const steps = (record: Record<string, number> | undefined): number =>
      (record?.median_ts ?? 0) / (record?.n_sequences ?? 1);
    expect((three?.step_cost ?? 0) * (steps(three) / steps(one))).toBeCloseTo(1, 3);
    const table = (await neox(['bench', ...args])).stdout;
    expect(table).toContain('| tg8 x3 |');
  });

  test('csv and jsonl have a line for each test', async () => {
    const args = [...quick, '--no-ceilings', '-p', '8', '-n', '0'];
    const csv = (await neox(['bench', ...args, '-o', 'csv'])).stdout.trimEnd().split('\n');
    expect(csv).toHaveLength(2);
    expect(csv[0]).toContain('"avg_ts"');
    const jsonl = (await neox(['bench', ...args, '-o', 'jsonl'])).stdout.trimEnd().split('\n');
    expect(JSON.parse(jsonl[0] ?? '')).toMatchObject({ n_prompt: 8, ceiling_read_gb_per_s: null });
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
  expect(cost).toEqual({
    nParams: 128 * 64 * 2 + 256 * 64 + 256,
    stepBytes: 32768 + 1024 + 16384,
    rowElements: 256 * 64,
    headElements: 128 * 64,
    kvBytes: 2 * 2 * 64 * 2,
  });
  expect(modelCost(found, 'f32').kvBytes).toBe(2 * cost.kvBytes);
  expect(modelCost(found, 'q8_0').kvBytes).toBe(2 * 2 * 2 * (32 + 2));
  expect(bytesPerToken(cost, { nPrompt: 0, nGen: 8, depth: 100, sequences: 1 })).toBe(
    cost.stepBytes + 512 * 104,
  );
  expect(bytesPerToken(cost, { nPrompt: 0, nGen: 8, depth: 100, sequences: 4 })).toBe(
    cost.stepBytes / 4 + 512 * 104,
  );
  expect(promptOperations(cost, { nPrompt: 10, nGen: 0, depth: 0, sequences: 1 })).toBe(
    2 * (10 * 256 * 64 + 128 * 64),
  );
});
