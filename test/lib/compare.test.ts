// Two models on a text, against the same figures computed with torch and numpy (test/fixtures/importance).

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ArgumentError, compareModels, Model, type ModelComparison } from '../../lib/index.js';
import { checkpointPath, fixturesDir } from '../integration/fixtures.js';

const golden = JSON.parse(readFileSync(join(fixturesDir, 'importance', 'comparison.json'), 'utf8')) as {
  reference: string;
  candidate: string;
  contextLength: number;
  ids: number[];
  expected: Omit<ModelComparison, 'chunks'>;
};
const { ids, contextLength } = golden;
let reference: Model;
let candidate: Model;

beforeAll(async () => {
  reference = await Model.load(checkpointPath(golden.reference));
  candidate = await Model.load(checkpointPath(golden.candidate));
});
afterAll(() => Promise.all([reference.dispose(), candidate.dispose()]));

test('divergence, agreement and perplexities are those of the reference computation', async () => {
  const reports: [number, number][] = [];
  const { chunks, ...found } = await compareModels(reference, candidate, {
    ids,
    contextLength,
    onProgress: ({ done, total }) => reports.push([done, total]),
  });
  expect(chunks).toBe(3);
  expect(Object.keys(found).sort()).toEqual(Object.keys(golden.expected).sort());
  for (const [name, value] of Object.entries(golden.expected)) {
    expect([name, Math.abs(found[name as keyof typeof found] / value - 1) < 1e-4]).toEqual([name, true]);
  }
  expect(reports.map(([done]) => done)).toEqual([48, 96, 144, 192, 240, 288]);
  expect(reports.every(([, total]) => total === 288)).toBe(true);
});

test('a model is no distance from itself', async () => {
  const found = await compareModels(reference, reference, { ids, contextLength, chunks: 1 });
  expect(found).toMatchObject({ chunks: 1, positions: 23, topAgreement: 1 });
  expect(found.maxKl).toBeLessThan(1e-12);
  expect(found.candidatePerplexity).toBe(found.referencePerplexity);
});

test('bfloat16 weights are a little away, and the divergence has a direction', async () => {
  const rounded = await Model.load(checkpointPath(golden.reference), { type: 'BF16', precision: 'exact' });
  try {
    const found = await compareModels(reference, rounded, { ids, contextLength });
    expect(found.meanKl).toBeGreaterThan(1e-7);
    expect(found.meanKl).toBeLessThan(1e-2);
    expect(found.medianKl).toBeLessThanOrEqual(found.kl99);
    expect(found.kl99).toBeLessThanOrEqual(found.maxKl);
  } finally {
    await rounded.dispose();
  }
  const back = await compareModels(candidate, reference, { ids, contextLength });
  expect(Math.abs(back.meanKl - golden.expected.meanKl)).toBeGreaterThan(1e-3);
  expect(back.referencePerplexity).toBeCloseTo(golden.expected.candidatePerplexity, 2);
});

test.each<[string, object]>([
  ['neither text nor ids', {}],
  ['both', { text: 'a', ids }],
  ['a text shorter than a chunk', { ids, contextLength: 151 }],
  ['a chunk without a second half', { ids, contextLength: 3 }],
  ['no chunk', { ids, contextLength, chunks: 0 }],
  ['an unknown option', { ids, positions: 'all' }],
])('%s is an argument error', async (_name, options) => {
  await expect(compareModels(reference, candidate, options)).rejects.toBeInstanceOf(ArgumentError);
});

test('models of two vocabularies cannot be compared', async () => {
  const other = await Model.load(checkpointPath('odd-shapes'));
  try {
    await expect(compareModels(reference, other, { ids: ids.map((id) => id % 101) })).rejects.toThrow(
      /a model of 128 tokens/,
    );
  } finally {
    await other.dispose();
  }
});

test('an abort ends it', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const onProgress = () => controller.abort(reason);
  const work = compareModels(reference, candidate, {
    ids,
    contextLength,
    onProgress,
    signal: controller.signal,
  });
  await expect(work).rejects.toBe(reason);
});
