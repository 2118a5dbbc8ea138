// What the arithmetic of each precision does to the logits of a prompt, on weights that were trained: the demo model.

import { demoModelPath } from '../../lib/demo';
import { Model, type Precision, type Rows } from '../../lib/index';

const TEXT =
  '富士山は日本で一番高い山です。高さは3776メートルで、静岡県と山梨県にまたがっています。' +
  'The quick brown fox jumps over the lazy dog. Tea is made by pouring hot water over leaves.';

async function logitsIn(precision: Precision): Promise<Rows> {
  const model = await Model.load(demoModelPath(), { precision });
  try {
    return await model.logits(model.tokenizer.encode(TEXT.repeat(2)), { positions: 'all' });
  } finally {
    await model.dispose();
  }
}

function logProbabilities(row: Float32Array): number[] {
  const max = row.reduce((a, b) => Math.max(a, b));
  const logSum = Math.log(row.reduce((sum, x) => sum + Math.exp(x - max), 0)) + max;
  return Array.from(row, (x) => x - logSum);
}

/** Largest difference as a share of the largest logit, and the mean divergence of the next token's distribution. */
function distance(logits: Rows, reference: Rows): { relative: number; divergence: number } {
  const [rows = 0, vocabulary = 0] = reference.shape;
  let largest = 0;
  let difference = 0;
  let divergence = 0;
  for (let row = 0; row < rows; row++) {
    const a = logits.data.subarray(row * vocabulary, (row + 1) * vocabulary);
    const b = reference.data.subarray(row * vocabulary, (row + 1) * vocabulary);
    b.forEach((value, i) => {
      largest = Math.max(largest, Math.abs(value));
      difference = Math.max(difference, Math.abs(value - (a[i] ?? Number.NaN)));
    });
    const q = logProbabilities(a);
    logProbabilities(b).forEach((p, i) => {
      divergence += (Math.exp(p) * (p - (q[i] ?? Number.NaN))) / rows;
    });
  }
  return { relative: difference / largest, divergence };
}

// Bounds are about twice what was found: 4.6e-4 and 2.4e-7 in int16, 1.2e-2 and 2.9e-4 in int8; the f16 cache is in both.
test('a prompt is nearer to exact under precision high than under fast, and near under both', async () => {
  const exact = await logitsIn('exact');
  const high = distance(await logitsIn('high'), exact);
  const fast = distance(await logitsIn('fast'), exact);
  expect(high.relative).toBeLessThan(1e-3);
  expect(high.divergence).toBeLessThan(5e-7);
  expect(fast.relative).toBeLessThan(2e-2);
  expect(fast.divergence).toBeLessThan(6e-4);
  expect(high.divergence).toBeLessThan(fast.divergence);
});
