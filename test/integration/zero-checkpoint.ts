// A Hugging Face directory of zeros around a tokenizer.

import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fixturesDir } from './fixtures.js';

/** The byte-level tokenizers, each with its golden.json. */
export const bpeShapes = join(fixturesDir, 'tokenizer', 'bpe');

/** Writes a checkpoint of zeros with a byte-level tokenizer, or that of another directory; returns its directory. */
export function zeroCheckpoint(directory: string, shape: string, rows = 640): string {
  mkdirSync(directory);
  cpSync(resolve(bpeShapes, shape), directory, { recursive: true });
  const config = {
    model_type: 'gpt_neox',
    vocab_size: rows,
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 1,
  };
  const sizes = { intermediate_size: 8, max_position_embeddings: 64, rotary_pct: 1, bos_token_id: 0 };
  writeFileSync(join(directory, 'config.json'), JSON.stringify({ ...config, ...sizes, eos_token_id: 0 }));
  const tensors: Record<string, number[]> = {
    'gpt_neox.embed_in.weight': [rows, 8],
    'embed_out.weight': [rows, 8],
  };
  const layer = 'gpt_neox.layers.0.';
  for (const norm of [
    `${layer}input_layernorm`,
    `${layer}post_attention_layernorm`,
    'gpt_neox.final_layer_norm',
  ]) {
    tensors[`${norm}.weight`] = tensors[`${norm}.bias`] = [8];
  }
  const matrices = {
    'attention.query_key_value': 24,
    'attention.dense': 8,
    'mlp.dense_h_to_4h': 8,
    'mlp.dense_4h_to_h': 8,
  };
  for (const [name, size] of Object.entries(matrices)) {
    tensors[`${layer}${name}.weight`] = [size, 8];
    tensors[`${layer}${name}.bias`] = [size];
  }
  let end = 0;
  const entries = Object.entries(tensors).map(([name, dims]) => {
    const begin = end;
    end += 4 * dims.reduce((all, size) => all * size, 1);
    return [name, { dtype: 'F32', shape: dims, data_offsets: [begin, end] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(join(directory, 'model.safetensors'), Buffer.concat([length, header, Buffer.alloc(end)]));
  return directory;
}
