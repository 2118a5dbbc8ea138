// Converted files in the hands of others: gguf-py reads them, llama.cpp computes the same logits. Runs where a Python with
// the packages gguf and llama-cpp-python is at hand (NEOX_PYTHON names one; python3 otherwise).

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert, demoModelPath, Model } from '../../lib/index.js';
import { containerPath } from './containers.js';
import { checkpointPath, relativeError } from './fixtures.js';

const python = process.env.NEOX_PYTHON ?? 'python3';
const folder = mkdtempSync(join(tmpdir(), 'neox-llama-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(script: string, ...args: string[]): string {
  const done = spawnSync(python, [join('test', 'python', script), ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (done.status !== 0) throw new Error(`${script}: ${done.stderr}`);
  return done.stdout;
}

function testWhere(module: string): jest.It {
  if (spawnSync(python, ['-c', `import ${module}`]).status === 0) return test;
  console.warn(`Skipped: ${python} has no module ${module} (set NEOX_PYTHON to one that has it).`);
  return test.skip;
}

const ids = Array.from({ length: 70 }, (_, i) => 4 + ((i * 37 + 11) % 92));

async function expectTheSameLogits(path: string): Promise<void> {
  const theirs = new Float32Array(
    new Uint8Array(Buffer.from(run('llama_logits.py', path, ...ids.map(String)), 'base64')).buffer,
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
  const { keys, tensors } = JSON.parse(run('gguf_contents.py', demoModelPath())) as {
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
