import { join } from 'node:path';
import { demoModelPath, Model } from '../../lib/index.js';
import { checkpointPath } from '../integration/fixtures.js';

test('a GGUF file: container, tokenizer, settings, ends and all metadata', async () => {
  const found = await Model.inspect(demoModelPath());
  expect(found).toMatchObject({
    format: 'GGUF 3',
    files: [{ path: demoModelPath() }],
    fileType: 'Q8_0',
    hasTokenizer: true,
    tokenizer: { kind: 'sentencepiece', vocabSize: 2500, eosTokenId: 3, padTokenId: 0 },
    generationDefaults: { maxNewTokens: 128 },
    generationDefaultsOrigin: 'generation_config.json',
    eosTokenIds: [3],
  });
  const value = (key: string) => found.metadata.find((entry) => entry.key === key)?.value;
  expect(value('general.architecture')).toBe('gptneox');
  expect(value('gptneox.use_parallel_residual')).toBe('false');
  expect(value('tokenizer.ggml.tokens')).toMatch(/^\["\[PAD\]", .*, \.\.\.\] \(2500 of type string\)$/);
  expect(value('tokenizer.ggml.token_type')).toBe('[3, 2, 3, 3, 3, 3, ...] (2500 of type i32)');
});

test('a directory: its weight file, and no metadata of its own', async () => {
  const path = checkpointPath('sequential-erf');
  const found = await Model.inspect(path);
  expect(found).toMatchObject({
    format: 'safetensors',
    files: [{ path: join(path, 'model.safetensors') }],
    metadata: [],
    hasTokenizer: false,
    eosTokenIds: [3],
  });
  expect(found.tokenizer).toBeUndefined();
});

test('a type tells what loading with it would take', async () => {
  const path = checkpointPath('sequential-erf');
  const [stored, quantized] = [await Model.inspect(path), await Model.inspect(path, { type: 'Q8_0' })];
  expect(quantized.memory.weightsBytes).toBeLessThan(stored.memory.weightsBytes / 2);
  const matrix = quantized.tensors.find(({ name }) => name === 'blk.0.ffn_up.weight');
  expect(matrix).toMatchObject({ type: 'F32', loadedType: 'Q8_0' });
});
