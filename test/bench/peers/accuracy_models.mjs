// The models whose logits are compared: each as an F32 file, and that quantized to every type.

import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { tokenizerFiles, writeCheckpoint, writeFolder } from './checkpoint.mjs';
import { neox } from './dist.mjs';
import { readGguf } from './gguf.mjs';

// llama.cpp knows GELU by its tanh approximation alone, so all files name that one, and the engines compute the same function.
const HIDDEN_ACT = 'gelu_new';

export const ACCURACY_MODELS = {
  demo: {
    title: 'The demo model',
    text: 'trained: 4 layers of 256, vocabulary 2,500. Its weights are those of the embedded file, which rounded them to Q8_0 once, so that Q8_0 loses next to nothing here.',
    prompts: ['昨日は', 'The teacher', '質問:', 'I saw'],
    write: writeDemo,
  },
  outliers: {
    title: 'A model with outlier channels',
    text: 'random: 4 layers of 768 with heads of 128, feed-forward 3,072. In every norm 6 channels have gains of 20 to 50, as GPT-NeoX models have them, and the weights behind them are smaller by the root of that, so that both these channels and the others matter.',
    prompts: ['昨日は', 'The teacher', '質問:', 'I saw'],
    write: writeOutliers,
  },
};

/** The F32 file of a model, made where it is missing. */
export async function f32File(name, folder) {
  const path = join(folder, `${name}-f32.gguf`);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  const checkpoint = join(folder, `${name}-checkpoint`);
  await ACCURACY_MODELS[name].write(checkpoint, folder);
  await neox.convert(checkpoint, path, { type: 'F32' });
  return path;
}

export async function quantizedFile(name, type, folder) {
  const path = join(folder, `${name}-${type.toLowerCase()}.gguf`);
  if (!existsSync(path)) await neox.quantize(await f32File(name, folder), path, { type });
  return path;
}

async function demoAsF32(folder) {
  const path = join(folder, 'demo-asset-f32.gguf');
  if (!existsSync(path)) {
    await neox.quantize(neox.demoModelPath(), path, { type: 'F32', allowRequantize: true });
  }
  return path;
}

async function writeDemo(checkpoint, folder) {
  writeCheckpoint(await demoAsF32(folder), checkpoint, { hidden_act: HIDDEN_ACT });
}

async function writeOutliers(checkpoint, folder) {
  const { metadata } = readGguf(await demoAsF32(folder));
  const [layers, hidden, inner, vocabSize, outliers] = [4, 768, 3072, 2500, 6];
  const config = {
    architectures: ['GPTNeoXForCausalLM'],
    model_type: 'gpt_neox',
    num_hidden_layers: layers,
    hidden_size: hidden,
    num_attention_heads: hidden / 128,
    intermediate_size: inner,
    vocab_size: vocabSize,
    max_position_embeddings: 1024,
    rotary_pct: 1,
    rotary_emb_base: 10000,
    layer_norm_eps: 1e-5,
    use_parallel_residual: false,
    hidden_act: HIDDEN_ACT,
    tie_word_embeddings: false,
    bos_token_id: 2,
    eos_token_id: 3,
    torch_dtype: 'float32',
  };
  const random = normals(20261121);
  const tensors = [];
  const add = (name, shape, value) => {
    const length = shape.reduce((all, size) => all * size, 1);
    const read = () => Buffer.from(Float32Array.from({ length }, (_, index) => value(index)).buffer);
    tensors.push({ name, shape, type: 'F32', bytes: 4 * length, read });
  };
  const linear = (name, rows, columns, gains, deviation = 1 / Math.sqrt(columns)) => {
    add(
      `${name}.weight`,
      [rows, columns],
      (i) => (random() * deviation) / Math.sqrt(gains?.[i % columns] ?? 1),
    );
    add(`${name}.bias`, [rows], () => 0.02 * random());
  };
  const norm = (name, gains) => {
    add(`${name}.weight`, [hidden], (i) => (gains?.[i] ?? 1) * (1 + 0.1 * random()));
    add(`${name}.bias`, [hidden], () => 0.02 * random());
  };
  add('gpt_neox.embed_in.weight', [vocabSize, hidden], random);
  for (let layer = 0; layer < layers; layer++) {
    const base = `gpt_neox.layers.${layer}`;
    // Spread over the row, so that blocks of 32 with and without an outlier are both common and each 256 has some.
    const gains = new Float32Array(hidden).fill(1);
    for (let i = 0; i < outliers; i++) gains[(37 * layer + 131 * i + 11) % hidden] = 20 + 6 * i;
    norm(`${base}.input_layernorm`, gains);
    linear(`${base}.attention.query_key_value`, 3 * hidden, hidden, gains, 0.6 / Math.sqrt(hidden));
    linear(`${base}.attention.dense`, hidden, hidden);
    norm(`${base}.post_attention_layernorm`, gains);
    linear(`${base}.mlp.dense_h_to_4h`, inner, hidden, gains);
    linear(`${base}.mlp.dense_4h_to_h`, hidden, inner);
  }
  norm('gpt_neox.final_layer_norm');
  add('embed_out.weight', [vocabSize, hidden], () => (random() * 2.5) / Math.sqrt(hidden)); // as peaked as text is
  writeFolder(checkpoint, config, tensors, tokenizerFiles(metadata));
}

/** Normally distributed numbers, by mulberry32 and Box and Muller. */
function normals(seed) {
  let state = seed;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
