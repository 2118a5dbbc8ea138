// A checkpoint with the switches of a committed one, but rows of 256 weights: wide enough for the K-quants' blocks.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type StoredTensor, safetensors } from './containers.js';
import { checkpointPath } from './fixtures.js';

const WIDTH = 256;

/** Values of roughly normal distribution, the same in every run. */
function randomValues(count: number, seed: number, mean: number, deviation: number): Buffer {
  const values = new Float32Array(count);
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  for (let i = 0; i < count; i++) {
    // The sum of three uniform values has the deviation 1/2.
    values[i] = mean + 2 * deviation * (uniform() + uniform() + uniform() - 1.5);
  }
  return Buffer.from(values.buffer);
}

/** Writes a directory with one layer of random weights in float32, under the switches of the checkpoint `name`. */
export function writeWide(name: string, directory: string): string {
  mkdirSync(directory, { recursive: true });
  const stored = JSON.parse(readFileSync(join(checkpointPath(name), 'config.json'), 'utf8'));
  const config = { ...stored, hidden_size: WIDTH, intermediate_size: WIDTH, num_hidden_layers: 1 };
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config));
  const tensors: StoredTensor[] = [];
  const add = (tensor: string, shape: number[], mean: number, deviation: number): void => {
    const count = shape.reduce((product, n) => product * n, 1);
    const bytes = randomValues(count, tensors.length + 1, mean, deviation);
    tensors.push({ name: tensor, dtype: 'F32', shape, bytes });
  };
  const addNorm = (norm: string): void => {
    add(`gpt_neox.${norm}.weight`, [WIDTH], 1, 0.2);
    add(`gpt_neox.${norm}.bias`, [WIDTH], 0, 0.2);
  };
  const addLinear = (linear: string, rows: number): void => {
    add(`gpt_neox.layers.0.${linear}.weight`, [rows, WIDTH], 0, 0.1);
    add(`gpt_neox.layers.0.${linear}.bias`, [rows], 0, 0.2);
  };
  add('gpt_neox.embed_in.weight', [config.vocab_size, WIDTH], 0, 1);
  addNorm('layers.0.input_layernorm');
  addLinear('attention.query_key_value', 3 * WIDTH);
  addLinear('attention.dense', WIDTH);
  addNorm('layers.0.post_attention_layernorm');
  addLinear('mlp.dense_h_to_4h', WIDTH);
  addLinear('mlp.dense_4h_to_h', WIDTH);
  addNorm('final_layer_norm');
  if (!config.tie_word_embeddings) add('embed_out.weight', [config.vocab_size, WIDTH], 0, 0.1);
  writeFileSync(join(directory, 'model.safetensors'), safetensors(tensors));
  return directory;
}
