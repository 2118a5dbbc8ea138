// What a test of `neox bench` must read and compute at least, to compare it with the machine's ceilings.

import type { KvCacheType, ModelInspection } from '../../index.js';
import type { BenchTest } from './tests.js';

export interface ModelCost {
  nParams: number;
  /** Bytes of weights that a step of one token reads: all but the embedding, of which it takes one row. */
  stepBytes: number;
  /** Elements of the matrices that every row of a prompt is multiplied with, and of those for its last row alone. */
  rowElements: number;
  headElements: number;
  /** Bytes of keys and values that one position adds. */
  kvBytes: number;
}

/** @param found - inspected with the type that loading makes */
export function modelCost(found: ModelInspection, kvCacheType: KvCacheType): ModelCost {
  const cost = { nParams: 0, stepBytes: 0, rowElements: 0, headElements: 0 };
  for (const { name, shape, loadedBytes } of found.tensors) {
    const elements = shape.reduce((all, size) => all * size, 1);
    cost.nParams += elements;
    if (/(^token_embd|embed_in)\.weight$/.test(name)) continue;
    cost.stepBytes += loadedBytes;
    if (/(^output|embed_out)\.weight$/.test(name)) cost.headElements += elements;
    else if (shape.length > 1) cost.rowElements += elements;
  }
  const { numHiddenLayers, hiddenSize, numAttentionHeads } = found.config;
  const scaleBytes = 2 * Math.ceil(hiddenSize / numAttentionHeads / 32);
  const headBytes = {
    f32: (4 * hiddenSize) / numAttentionHeads,
    f16: (2 * hiddenSize) / numAttentionHeads,
    q8_0: hiddenSize / numAttentionHeads + scaleBytes,
  };
  return { ...cost, kvBytes: 2 * numHiddenLayers * numAttentionHeads * headBytes[kvCacheType] };
}

/** Bytes read for one generated token, at the test's mean depth; sequences share the weights. */
export function bytesPerToken(cost: ModelCost, { nPrompt, nGen, depth, sequences }: BenchTest): number {
  return cost.stepBytes / sequences + cost.kvBytes * (Math.max(1, depth + nPrompt) + nGen / 2);
}

/** Operations of the matrix products of a prompt, two for a multiplication with its addition; attention is not counted. */
export function promptOperations(cost: ModelCost, { nPrompt }: BenchTest): number {
  return 2 * (cost.rowElements * nPrompt + cost.headElements);
}
