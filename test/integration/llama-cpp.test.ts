// Converted files in the hands of others: gguf-py reads them, llama.cpp computes the same logits. Runs where a Python with
// the packages gguf and llama-cpp-python is at hand (NEOX_PYTHON names one; python3 otherwise).

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert, demoModelPath, Model } from '../../lib/index.js';
import { containerPath } from './containers.js';
import { checkpointPath, relativeError } from './fixtures.js';
import { run, testWhere } from './python.js';
import { bpeShapes, zeroCheckpoint } from './zero-checkpoint.js';

const folder = mkdtempSync(join(tmpdir(), 'neox-llama-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ids = Array.from({ length: 70 }, (_, i) => 4 + ((i * 37 + 11) % 92));

async function expectTheSameLogits(path: string): Promise<void> {
  const theirs = new Float32Array(
    new Uint8Array(Buffer.from(run('llama_logits.py', [path, ...ids.map(String)]), 'base64')).buffer,
  );
  const model = await Model.load(path, { precision: 'exact', kvCacheType: 'f16' });
  const { data, shape } = await model.logits(ids, { positions: 'all' });
  await model.dispose();
  expect(theirs.length).toBe((shape[0] ?? 0) * (shape[1] ?? 0));
  expect(relativeError(theirs, data)).toBeLessThanOrEqual(5e-3);
}

// llama.cpp computes every GELU in its tanh form, so the checkpoints are those that ask for it.
testWhere('llama_cpp').each(['sequential-tanh', 'parallel-gelu-fast', 'gpt-neox-20b'])(
  'llama.cpp gives the logits of %s',
  async (name) => {
    const path = join(folder, `${name}.gguf`);
    await convert(checkpointPath(name), path);
    await expectTheSameLogits(path);
  },
);

// The two forms differ by less than the tolerance.
testWhere('llama_cpp').each(['rinna-bilingual-4b-8k', 'line-3.6b', 'pythia'])(
  'llama.cpp reads the file that stands for its own of %s',
  async (name) => expectTheSameLogits(containerPath(name, 'llama-cpp.gguf')),
);

testWhere('gguf')('gguf-py reads the demo model', () => {
  const { keys, tensors } = JSON.parse(run('gguf_contents.py', [demoModelPath()])) as {
    keys: Record<string, unknown>;
    tensors: Record<string, [string, number[]]>;
  };
  expect(keys).toMatchObject({
    'general.architecture': 'gptneox',
    'general.file_type': 7,
    'gptneox.embedding_length': 256,
    'gptneox.use_parallel_residual': false,
    'gptneox.rope.dimension_count': 64,
    'tokenizer.ggml.model': 't5',
    'tokenizer.ggml.unknown_token_id': 1,
    'tokenizer.ggml.bos_token_id': 2,
    'tokenizer.ggml.eos_token_id': 3,
    'tokenizer.ggml.add_eos_token': false,
    'neox.hidden_act': 'gelu',
  });
  expect(tensors['blk.0.attn_qkv.weight']).toEqual(['Q8_0', [256, 768]]);
  expect(tensors['blk.0.attn_qkv.bias']).toEqual(['F32', [768]]);
  expect(tensors['output.weight']?.[1][0]).toBe(256);
});

// llama.cpp normalizes nothing, so the strings are those that normalization leaves alone. `digits` has tokens with flags.
testWhere('llama_cpp').each(['neox-20b', 'dolly', 'open-calm'])(
  'llama.cpp makes the same ids of text with the tokenizer of %s',
  async (shape) => {
    const path = join(folder, `${shape}.gguf`);
    await convert(zeroCheckpoint(join(folder, shape), shape), path);
    const golden = JSON.parse(readFileSync(join(bpeShapes, shape, 'golden.json'), 'utf8'));
    const strings = (golden.strings as { text: string; ids: number[] }[]).filter(
      ({ text }) => text.normalize('NFC') === text,
    );
    expect(strings.length).toBeGreaterThan(30);
    const theirs = JSON.parse(
      run('llama_tokens.py', [path], JSON.stringify(strings.map(({ text }) => text))),
    );
    strings.forEach(({ text, ids: expected }, i) => {
      expect([text, theirs[i]]).toEqual([text, expected]);
    });
  },
);
