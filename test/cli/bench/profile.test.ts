import { modelCost } from '../../../lib/cli/bench/cost.js';
import { markdown } from '../../../lib/cli/bench/markdown.js';
import { phaseTitle, profilePhases, profileRows } from '../../../lib/cli/bench/profile.js';
import {
  demoModelPath,
  Model,
  type ModelInspection,
  type Operation,
  type PassProfile,
} from '../../../lib/index.js';
import { benchRecord } from './records.js';

const tensor = (name: string, shape: number[], loadedBytes: number) => ({ name, shape, loadedBytes });
const config = { numHiddenLayers: 2, hiddenSize: 64, numAttentionHeads: 2 };
const found = {
  config,
  tensors: [
    tensor('token_embd.weight', [128, 64], 16_384),
    tensor('blk.0.attn_qkv.weight', [192, 64], 12_000),
    tensor('blk.0.attn_output.weight', [64, 64], 4_000),
    tensor('blk.0.ffn_up.weight', [256, 64], 16_000),
    tensor('blk.0.ffn_down.weight', [64, 256], 17_000),
    tensor('output.weight', [128, 64], 8_000),
  ],
} as unknown as ModelInspection;

const NAMES: readonly Operation[] = [
  ...(['norm', 'quantize', 'qkv', 'attention', 'dense', 'fc1', 'fc2', 'head', 'sampling', 'other'] as const),
];

/** Every operation takes 2 ms, half of it waiting. */
function measured(passes: number, rows: number): PassProfile {
  const ops = Object.fromEntries(NAMES.map((name) => [name, { ms: 2, waitMs: 1 }])) as PassProfile['ops'];
  return { passes, rows, ops };
}

test('bytes and operations are those of the phase', () => {
  const cost = modelCost(found, 'f16');
  const profile = { prompt: measured(2, 1000), step: measured(10, 10) };
  const test = { nPrompt: 1000, nGen: 10, depth: 24, sequences: 1 };
  const [prompt, step, ...rest] = profilePhases(profile, cost, test);
  expect(rest).toEqual([]);
  const of = (phase: typeof prompt, op: Operation) => phase?.ops.find((each) => each.op === op);
  // 2 ms are 2e6 ns: GB/s are bytes over that.
  expect(of(prompt, 'qkv')).toMatchObject({ ms: 1, wait_ms: 0.5, gb_per_s: (2 * 12_000) / 2e6 });
  expect(of(prompt, 'qkv')?.gop_per_s).toBeCloseTo((2 * 192 * 64 * 1000) / 2e6, 9);
  expect(of(prompt, 'head')?.gop_per_s).toBeCloseTo((2 * 128 * 64) / 2e6, 9);
  expect(of(step, 'head')).toMatchObject({ gb_per_s: (10 * 8_000) / 2e6 });
  expect(of(step, 'head')?.gop_per_s).toBeCloseTo((2 * 128 * 64 * 10) / 2e6, 9);
  expect(of(step, 'attention')?.gb_per_s).toBeCloseTo((10 * 1029 * cost.kvBytes) / 2e6, 9);
  expect(of(prompt, 'attention')).toMatchObject({ gb_per_s: null, gop_per_s: (4 * 128 * 1000 * 524) / 2e6 });
  expect(of(step, 'norm')).toMatchObject({ share: 0.1, gb_per_s: null, gop_per_s: null });
  expect(prompt?.ms).toBe(10);
  expect([prompt, step].map((phase) => phase && phaseTitle(phase))).toEqual([
    'a pass of the prompt of 500 rows',
    'a step of 1 row',
  ]);
  expect(profileRows(step as NonNullable<typeof step>).at(-1)).toEqual([
    'in all',
    '2.000',
    '100.0 %',
    '50.0 %',
    '-',
    '-',
  ]);
  const text = markdown([benchRecord({ profile: [prompt as NonNullable<typeof prompt>] })]);
  expect(text).toContain(
    'pp512, 2 threads: a pass of the prompt of 500 rows\n\n| operation | ms | share | waiting | GB/s | Gop/s |\n| --- | ---: |',
  );
});

test('a test is told of what it times alone', () => {
  const profile = { prompt: measured(1, 1), step: measured(4, 4) };
  const phases = (nPrompt: number, nGen: number) =>
    profilePhases(profile, modelCost(found, 'f16'), { nPrompt, nGen, depth: 0, sequences: 1 }).map(
      ({ phase }) => phase,
    );
  expect(phases(0, 4)).toEqual(['step']);
  expect(phases(1, 0)).toEqual(['prompt']);
});

test('a head that is the embedding is read like any other', () => {
  const tied = { config, tensors: found.tensors.slice(0, -1) } as ModelInspection;
  expect(modelCost(tied, 'f16').products.head).toEqual({ bytes: 16_384, elements: 128 * 64 });
  expect(modelCost(tied, 'f16').headElements).toBe(128 * 64);
});

test('a model measures its passes between start and end', async () => {
  const model = await Model.load(demoModelPath(), { threads: 1, maxSequences: 1 });
  const options = { maxNewTokens: 6, eosTokenId: null, temperature: 0, promptLookupNumTokens: 0 };
  const run = () => model.generate([1, 2, 3, 4], options).result();
  await run();
  expect(model.endProfile().step.passes).toBe(0);
  model.startProfile();
  const begin = performance.now();
  await run();
  const elapsed = performance.now() - begin;
  const { prompt, step } = model.endProfile();
  expect([prompt.passes, prompt.rows, step.passes, step.rows]).toEqual([1, 4, 5, 5]);
  expect(Object.keys(step.ops).sort()).toEqual([...NAMES].sort());
  const sum = [prompt, step].flatMap(({ ops }) => Object.values(ops)).reduce((all, { ms }) => all + ms, 0);
  expect(sum).toBeGreaterThan(0);
  expect(sum).toBeLessThan(elapsed);
  for (const name of ['qkv', 'attention', 'dense', 'fc1', 'fc2', 'head', 'norm'] as const) {
    expect(step.ops[name].ms).toBeGreaterThan(0);
    expect(step.ops[name].waitMs).toBe(0); // one thread waits for nobody
  }
  await model.dispose();
  expect(() => model.startProfile()).toThrow('disposed');
});
