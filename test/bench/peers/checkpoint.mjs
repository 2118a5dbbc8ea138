// Hugging Face directories for engines that load nothing else: config.json and model.safetensors.

import {
  closeSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { readGguf } from './gguf.mjs';

/** GGUF's names of a layer's tensors, and Hugging Face's. */
const LAYER = {
  attn_norm: 'input_layernorm',
  ffn_norm: 'post_attention_layernorm',
  attn_qkv: 'attention.query_key_value',
  attn_output: 'attention.dense',
  ffn_up: 'mlp.dense_h_to_4h',
  ffn_down: 'mlp.dense_4h_to_h',
};
const OTHERS = {
  token_embd: 'gpt_neox.embed_in',
  output_norm: 'gpt_neox.final_layer_norm',
  output: 'embed_out',
};

function nameOf(name) {
  const [, layer, tensor, kind] = /^(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)$/.exec(name) ?? [];
  const own =
    layer === undefined ? OTHERS[tensor] : LAYER[tensor] && `gpt_neox.layers.${layer}.${LAYER[tensor]}`;
  if (!own) throw new Error(`${name} is no tensor of GPT-NeoX.`);
  return `${own}.${kind}`;
}

function configOf(metadata) {
  const key = (name) => metadata.get(`gptneox.${name}`);
  const [hidden, heads] = [key('embedding_length'), key('attention.head_count')];
  return {
    architectures: ['GPTNeoXForCausalLM'],
    model_type: 'gpt_neox',
    num_hidden_layers: key('block_count'),
    hidden_size: hidden,
    num_attention_heads: heads,
    intermediate_size: key('feed_forward_length'),
    vocab_size: metadata.get('tokenizer.ggml.tokens').length,
    max_position_embeddings: key('context_length'),
    rotary_pct: key('rope.dimension_count') / (hidden / heads),
    rotary_emb_base: key('rope.freq_base') ?? 10000,
    layer_norm_eps: key('attention.layer_norm_epsilon'),
    use_parallel_residual: key('use_parallel_residual'),
    hidden_act: metadata.get('neox.hidden_act') ?? 'gelu',
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
  };
}

/**
 * Writes `folder` from a GGUF file of F32, F16 or BF16 tensors, with the tokenizer's files where it holds them. It appears when it
 * is whole. `changes`: fields of config.json.
 */
export function writeCheckpoint(ggufPath, folder, changes = {}) {
  const { metadata, tensors } = readGguf(ggufPath);
  const config = { ...configOf(metadata), ...changes };
  const source = openSync(ggufPath, 'r');
  try {
    const list = [...tensors].map(([name, { shape, type, bytes, offset }]) => ({
      name: nameOf(name),
      shape,
      type,
      bytes,
      read() {
        const data = Buffer.alloc(bytes);
        for (let at = 0; at < bytes; ) {
          const got = readSync(source, data, at, bytes - at, offset + at);
          if (got === 0) throw new Error(`${ggufPath} ends within ${name}.`);
          at += got;
        }
        return /attn_qkv/.test(name) ? byHead(data, config.num_attention_heads) : data;
      },
    }));
    writeFolder(folder, config, list, tokenizerFiles(metadata));
  } finally {
    closeSync(source);
  }
}

export function tokenizerFiles(metadata) {
  const keys = { 'spiece.model': 'spiece', 'tokenizer_config.json': 'config' };
  return Object.entries(keys)
    .map(([name, key]) => [name, metadata.get(`neox.tokenizer.${key}`)])
    .filter(([, data]) => data !== undefined);
}

/** GGUF has all rows of Q, then of K, then of V; a checkpoint has them head by head. */
function byHead(data, heads) {
  const size = data.length / (3 * heads);
  const out = Buffer.alloc(data.length);
  for (let kind = 0; kind < 3; kind++) {
    for (let head = 0; head < heads; head++) {
      data.copy(
        out,
        (3 * head + kind) * size,
        (kind * heads + head) * size,
        (kind * heads + head + 1) * size,
      );
    }
  }
  return out;
}

/** `tensors`: `{ name, shape, type, bytes, read() }`, read one at a time; `files`: names and contents of those beside them. */
export function writeFolder(folder, config, tensors, files = []) {
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  writeFileSync(join(part, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  for (const [name, data] of files) writeFileSync(join(part, name), data);
  let end = 0;
  const header = { __metadata__: { format: 'pt' } };
  for (const { name, shape, type, bytes } of tensors) {
    header[name] = { dtype: type, shape, data_offsets: [end, end + bytes] };
    end += bytes;
  }
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([text, Buffer.alloc(-text.length & 7, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const file = openSync(join(part, 'model.safetensors'), 'w');
  for (const data of [length, padded]) writeSync(file, data);
  for (const { read } of tensors) {
    const data = read();
    for (let at = 0; at < data.length; ) at += writeSync(file, data, at);
  }
  closeSync(file);
  rmSync(folder, { recursive: true, force: true });
  renameSync(part, folder);
}
