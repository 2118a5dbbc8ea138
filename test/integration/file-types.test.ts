// Every type of file, from the original to text: converted, quantized, quantized while loading, and run.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert, FILE_TYPES, Model, quantize, synth } from '../../lib/index.js';
import { checkpointPath, relativeError } from './fixtures.js';

let folder: string;
const at = (name: string) => join(folder, name);
const ids = Array.from({ length: 40 }, (_, i) => 4 + ((i * 37 + 11) % 120));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'neox-types-'));
  await synth(at('tiny.gguf'), { shape: 'tiny', type: 'F16', tokenizer: false });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(path: string, options: Parameters<typeof Model.load>[1]) {
  const model = await Model.load(path, options);
  const { data } = await model.logits(ids);
  const { tokenIds } = await model.generate(ids, { maxNewTokens: 6, eosTokenId: null }).result();
  const { type, fileType, weightsBytes, precision } = model.info;
  await model.dispose();
  return { logits: data, tokenIds, type, fileType, weightsBytes, precision };
}

test.each(FILE_TYPES)('%s runs, and is the same however it was made', async (type) => {
  const file = at(`tiny.${type}.gguf`);
  const { fallbacks, requantized } = await quantize(at('tiny.gguf'), file, { type });
  expect([fallbacks, requantized]).toEqual([[], []]);
  const stored = await run(file, {});
  expect(stored.fileType).toBe(type);
  expect(stored.tokenIds).toHaveLength(6);
  const loaded = await run(at('tiny.gguf'), { type });
  expect(loaded).toEqual(stored);
  // The header tells the memory beforehand, whatever the mix.
  const { memory, fileType } = await Model.inspect(at('tiny.gguf'), { type });
  expect(fileType).toBe(type);
  expect(memory.weightsBytes).toBe(stored.weightsBytes);
  expect((await Model.inspect(file)).memory.weightsBytes).toBe(stored.weightsBytes);
  rmSync(file);
});

test('fewer bits move the logits more', async () => {
  const { logits: exact } = await run(at('tiny.gguf'), { precision: 'exact' });
  const errors: number[] = [];
  for (const type of ['Q8_0', 'Q6_K', 'Q5_K_M', 'Q4_K_M', 'Q3_K_M', 'Q2_K'] as const) {
    errors.push(relativeError((await run(at('tiny.gguf'), { type, precision: 'exact' })).logits, exact));
  }
  expect(errors).toEqual([...errors].sort((a, b) => a - b));
  expect(errors[0]).toBeLessThan(0.05);
});

test.each(['sequential-erf', 'odd-shapes', 'rinna-3.6b'])(
  '%s converts to every type, whatever its rows',
  async (name) => {
    for (const type of FILE_TYPES) {
      const file = at(`${name}.${type}.gguf`);
      await convert(checkpointPath(name), file, { type });
      const { tensors, fileType } = await Model.inspect(file);
      expect(fileType).toBe(type);
      for (const tensor of tensors) if (tensor.shape.length === 1) expect(tensor.type).toBe('F32');
      rmSync(file);
    }
  },
);

test('types by tensor, from the options and by pattern', async () => {
  await quantize(at('tiny.gguf'), at('mixed.gguf'), {
    type: 'q4_0',
    outputTensorType: 'Q8_0',
    tokenEmbeddingType: 'f16',
    tensorTypes: { 'blk\\.0\\.': 'Q5_1', ffn_down: 'Q6_K' },
  });
  const { tensors, fileType } = await Model.inspect(at('mixed.gguf'));
  const types = Object.fromEntries(tensors.map(({ name, type }) => [name, type]));
  expect(fileType).toBe('Q4_0');
  expect(types).toMatchObject({
    'output.weight': 'Q8_0',
    'token_embd.weight': 'F16',
    'blk.0.ffn_down.weight': 'Q5_1',
    'blk.1.ffn_down.weight': 'Q6_K',
    'blk.1.ffn_up.weight': 'Q4_0',
    'blk.0.attn_norm.weight': 'F32',
  });
  expect((await run(at('mixed.gguf'), {})).tokenIds).toHaveLength(6);
  const invalid = { code: 'ERR_NEOX_INVALID_ARGUMENT' };
  const refused = (options: object) =>
    expect(quantize(at('tiny.gguf'), at('never.gguf'), { type: 'Q4_0', ...options })).rejects.toMatchObject(
      invalid,
    );
  await refused({ tensorTypes: { '(': 'Q8_0' } });
  await refused({ tensorTypes: { ffn: 'Q4_K_M' } });
  await refused({ tensorTypes: { ffn_dwon: 'Q6_K' } });
  await refused({ outputTensorType: 'Q9' });
  await refused({ pure: 1 });
  await refused({ type: undefined });
  expect(existsSync(at('never.gguf'))).toBe(false);
});

test('a process that is killed leaves a temporary file at most, which nothing minds', async () => {
  const target = at('killed');
  mkdirSync(target);
  const output = join(target, 'm.gguf');
  const script = `require(${JSON.stringify(join(process.cwd(), 'dist'))})
    .synth(process.argv[1], { shape: '3.6b', type: 'F32', tokenizer: false });`;
  const child = spawn(process.execPath, ['-e', script, output], { stdio: 'ignore' });
  const watcher = watch(target, () => {
    watcher.close();
    child.kill('SIGKILL');
  });
  await new Promise((resolve) => child.once('exit', resolve));
  expect(readdirSync(target)).toEqual([expect.stringMatching(/^m\.gguf\.\d+-\d+\.tmp$/)]);
  await quantize(at('tiny.gguf'), output, { type: 'Q4_K_M' });
  expect((await Model.inspect(output)).fileType).toBe('Q4_K_M');
});
