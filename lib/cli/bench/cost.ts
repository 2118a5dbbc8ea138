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
  /** The matrices of all layers by their place in the network, and the head. */
  products: Record<Product, { bytes: number; elements: number }>;
  /** Bytes of keys and values that one position adds. */
  kvBytes: number;
  /** Elements that attention multiplies for each pair of positions: hidden size times layers. */
  hiddenLayers: number;
}

type Product = 'qkv' | 'dense' | 'fc1' | 'fc2' | 'head';

// GGUF's names and Hugging Face's.
const PRODUCTS: readonly (readonly [Product, RegExp])[] = [
  ['qkv', /(attn_qkv|query_key_value)\.weight$/],
  ['dense', /(attn_output|attention\.dense)\.weight$/],
  ['fc1', /(ffn_up|dense_h_to_4h)\.weight$/],
  ['fc2', /(ffn_down|dense_4h_to_h)\.weight$/],
  ['head', /(^output|embed_out)\.weight$/],
];
const EMBEDDING = /(^token_embd|embed_in)\.weight$/;

/** @param found - inspected with the type that loading makes */
export function modelCost(found: ModelInspection, kvCacheType: KvCacheType): ModelCost {
  const cost = { nParams: 0, stepBytes: 0 };
  const products = Object.fromEntries(
    PRODUCTS.map(([name]) => [name, { bytes: 0, elements: 0 }]),
  ) as ModelCost['products'];
  // A checkpoint whose head is its embedding has one matrix for both.
  const isTied = !found.tensors.some(({ name }) => /(^output|embed_out)\.weight$/.test(name));
  for (const { name, shape, loadedBytes } of found.tensors) {
    const elements = shape.reduce((all, size) => all * size, 1);
    cost.nParams += elements;
    const isEmbedding = EMBEDDING.test(name);
    if (isEmbedding && !isTied) continue;
    cost.stepBytes += loadedBytes;
    const [place] = isEmbedding ? ['head' as const] : (PRODUCTS.find(([, names]) => names.test(name)) ?? []);
    if (place === undefined) continue;
    products[place].bytes += loadedBytes;
    products[place].elements += elements;
  }
  const { head, ...rows } = products;
  const { numHiddenLayers, hiddenSize, numAttentionHeads } = found.config;
  const scaleBytes = 2 * Math.ceil(hiddenSize / numAttentionHeads / 32);
  const headBytes = {
    f32: (4 * hiddenSize) / numAttentionHeads,
    f16: (2 * hiddenSize) / numAttentionHeads,
    q8_0: hiddenSize / numAttentionHeads + scaleBytes,
  };
  return {
    ...cost,
    rowElements: Object.values(rows).reduce((sum, { elements }) => sum + elements, 0),
    headElements: head.elements,
    products,
    kvBytes: 2 * numHiddenLayers * numAttentionHeads * headBytes[kvCacheType],
    hiddenLayers: hiddenSize * numHiddenLayers,
  };
}

/** Bytes read for one generated token, at the test's mean depth; sequences share the weights. */
export function bytesPerToken(cost: ModelCost, { nPrompt, nGen, depth, sequences }: BenchTest): number {
  return cost.stepBytes / sequences + cost.kvBytes * (Math.max(1, depth + nPrompt) + nGen / 2);
}

/** Operations of the matrix products of a prompt, two for a multiplication with its addition; attention is not counted. */
export function promptOperations(cost: ModelCost, { nPrompt }: BenchTest): number {
  return 2 * (cost.rowElements * nPrompt + cost.headElements);
}
