// Prints the table of sizes of docs/models.md: what each model weighs in each type and what its KV cache takes, as
// Model.inspect says of an empty file of its real shape.
//
//     npm run build:all && node scripts/model_sizes.mjs
//
// The files are sparse: they take a few kilobytes where the file system knows holes (ext4, xfs, btrfs, APFS).

import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const { Model } = createRequire(import.meta.url)('../dist/index.js');

// layers, hidden size, heads, feed-forward size, rows of the embedding, trained context
const SHAPES = {
  'rinna/japanese-gpt-neox-3.6b (-instruction-*)': [36, 2816, 22, 11264, 32000, 2048],
  'rinna/bilingual-gpt-neox-4b (-instruction-*, -minigpt4)': [36, 2816, 22, 11264, 65536, 2048],
  'rinna/bilingual-gpt-neox-4b-8k, at 8,192': [36, 2816, 22, 11264, 65536, 8192],
  'rinna/japanese-gpt-neox-small': [12, 768, 12, 3072, 44416, 2048],
  'line-corporation/japanese-large-lm-3.6b, head untied': [30, 3072, 32, 12288, 51200, 2048],
  'EleutherAI/pythia-1b': [16, 2048, 8, 8192, 50304, 2048],
  'EleutherAI/pythia-2.8b, databricks/dolly-v2-3b': [32, 2560, 32, 10240, 50304, 2048],
  'EleutherAI/pythia-6.9b, databricks/dolly-v2-7b': [32, 4096, 32, 16384, 50432, 2048],
  'EleutherAI/pythia-12b, databricks/dolly-v2-12b': [36, 5120, 40, 20480, 50688, 2048],
  'EleutherAI/gpt-neox-20b': [44, 6144, 64, 24576, 50432, 2048],
  'togethercomputer/RedPajama-INCITE-3B': [32, 2560, 32, 10240, 50432, 2048],
  'togethercomputer/RedPajama-INCITE-7B': [32, 4096, 32, 16384, 50432, 2048],
  'stabilityai/stablelm-*-alpha-3b, at 4,096': [16, 4096, 32, 16384, 50688, 4096],
  'stabilityai/stablelm-*-alpha-7b, at 4,096': [16, 6144, 48, 24576, 50432, 4096],
  'cyberagent/open-calm-7b': [32, 4096, 32, 16384, 52224, 2048],
  'matsuo-lab/weblab-10b': [36, 4864, 38, 19456, 50304, 2048],
};
const TYPES = ['F16', 'Q8_0', 'Q6_K', 'Q5_K_M', 'Q4_K_M', 'Q4_0', 'Q2_K'];

/** Names and shapes of a checkpoint's tensors. */
function* tensors([layers, hidden, , feedForward, vocabulary]) {
  yield ['gpt_neox.embed_in.weight', [vocabulary, hidden]];
  for (let i = 0; i < layers; i++) {
    const layer = `gpt_neox.layers.${i}`;
    for (const norm of ['input_layernorm', 'post_attention_layernorm']) {
      for (const kind of ['weight', 'bias']) yield [`${layer}.${norm}.${kind}`, [hidden]];
    }
    for (const [name, rows, columns] of [
      ['attention.query_key_value', 3 * hidden, hidden],
      ['attention.dense', hidden, hidden],
      ['mlp.dense_h_to_4h', feedForward, hidden],
      ['mlp.dense_4h_to_h', hidden, feedForward],
    ]) {
      yield [`${layer}.${name}.weight`, [rows, columns]];
      yield [`${layer}.${name}.bias`, [rows]];
    }
  }
  for (const kind of ['weight', 'bias']) yield [`gpt_neox.final_layer_norm.${kind}`, [hidden]];
  yield ['embed_out.weight', [vocabulary, hidden]];
}

/** Writes config.json and a model.safetensors of float16 zeros that were never written. */
function writeEmpty(folder, shape) {
  const [num_hidden_layers, hidden_size, num_attention_heads, intermediate_size, vocab_size, positions] =
    shape;
  const config = {
    ...{
      model_type: 'gpt_neox',
      num_hidden_layers,
      hidden_size,
      num_attention_heads,
      intermediate_size,
      vocab_size,
    },
    max_position_embeddings: positions,
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const header = {};
  let offset = 0;
  for (const [name, dimensions] of tensors(shape)) {
    const bytes = 2 * dimensions.reduce((product, n) => product * n, 1);
    header[name] = { dtype: 'F16', shape: dimensions, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(join(folder, 'model.safetensors'), 'w');
  writeSync(file, Buffer.concat([length, json]));
  ftruncateSync(file, 8 + json.length + offset);
  closeSync(file);
}

const gigabytes = (bytes) => (bytes / 1e9).toFixed(2);

console.log(`| model | parameters | ${TYPES.join(' | ')} | KV q8_0 | KV f16 | KV f32 |`);
console.log(`| --- | ${'---: | '.repeat(TYPES.length + 4).trim()}`);
for (const [name, shape] of Object.entries(SHAPES)) {
  const folder = mkdtempSync(join(tmpdir(), 'neox-sizes-'));
  try {
    writeEmpty(folder, shape);
    const contextLength = shape[5];
    const weights = [];
    let kv = {};
    for (const type of TYPES) {
      const { memory } = await Model.inspect(folder, { type, contextLength });
      weights.push(gigabytes(memory.weightsBytes));
    }
    for (const kvCacheType of ['q8_0', 'f16', 'f32']) {
      const { memory } = await Model.inspect(folder, { kvCacheType, contextLength });
      kv = { ...kv, [kvCacheType]: gigabytes(memory.kvCacheBytes) };
    }
    let count = 0;
    for (const [, dimensions] of tensors(shape)) count += dimensions.reduce((product, n) => product * n, 1);
    console.log(
      `| ${name} | ${(count / 1e9).toFixed(2)} B | ${weights.join(' | ')} | ${kv.q8_0} | ${kv.f16} | ${kv.f32} |`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
