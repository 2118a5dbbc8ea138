// Loading, inspecting, and reading values off a model.

import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  convert,
  demoModelPath,
  FormatError,
  Model,
  quantize,
  synth,
  systemInfo,
  Tokenizer,
} from '../../lib/index.js';
import { checkpointPath } from '../integration/fixtures.js';

const tiny = checkpointPath('sequential-erf');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'neox-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A checkpoint with other texts. */
function variant(name: string, files: Record<string, string>): string {
  const path = mkdtempSync(join(folder, `${name}-`));
  for (const file of readdirSync(tiny)) copyFileSync(join(tiny, file), join(path, file));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}

describe('a model without a tokenizer', () => {
  let model: Model;

  beforeAll(async () => {
    model = await Model.load(tiny);
  });
  afterAll(() => model.dispose());

  test('says so, and takes ids', async () => {
    expect(model.hasTokenizer).toBe(false);
    const noTokenizer = expect.objectContaining({ code: 'ERR_NEOX_NO_TOKENIZER' });
    expect(() => model.tokenizer).toThrow(noTokenizer);
    expect(() => model.generate('text')).toThrow(noTokenizer);
    expect(() => model.generate([1], { stop: 'x' })).toThrow(noTokenizer);
    await expect(Tokenizer.load(tiny)).rejects.toEqual(noTokenizer);
    const result = await model.generate(Uint16Array.of(1, 2), { maxNewTokens: 2 }).result();
    expect(result.text).toBe('');
    expect(result.tokenIds).toHaveLength(2);
  });

  test('has no chat', () => {
    expect(model.chatFormat).toBeUndefined();
    expect(() => model.chat([{ role: 'user', content: 'x' }])).toThrow(
      expect.objectContaining({ code: 'ERR_NEOX_UNSUPPORTED' }),
    );
  });

  test('tells its configuration and how it runs', () => {
    expect(model.config).toEqual({
      numHiddenLayers: 2,
      hiddenSize: 64,
      numAttentionHeads: 2,
      intermediateSize: 128,
      vocabSize: 128,
      maxPositionEmbeddings: 256,
      rotaryPct: 1,
      ropeTheta: 10000,
      ropeScaling: null,
      layerNormEps: 1e-5,
      hiddenAct: 'gelu',
      useParallelResidual: false,
      bosTokenId: 2,
      eosTokenId: 3,
      padTokenId: 0,
      unkTokenId: null,
    });
    expect(model.info).toMatchObject({
      name: 'sequential-erf',
      type: 'F32',
      device: 'cpu',
      precision: 'exact',
      kvCacheType: 'f32',
      threads: systemInfo().threads,
      contextLength: 256,
      kvCachePositions: 1024,
    });
  });

  test("the checkpoint's eos ends a generation unless told otherwise", async () => {
    const bias = { sequenceBias: [[[3], 1000]] as [number[], number][], maxNewTokens: 4 };
    const result = await model.generate([1], bias).result();
    expect([result.tokenIds, result.finishReason]).toEqual([[3], 'eos']);
    const none = await model.generate([1], { ...bias, eosTokenId: null }).result();
    expect([none.tokenIds, none.finishReason]).toEqual([[3, 3, 3, 3], 'length']);
    const other = await model.generate([1], { ...bias, eosTokenId: [7, 3] }).result();
    expect(other.finishReason).toBe('eos');
  });

  test('logits at chosen positions are rows of all', async () => {
    const ids = [5, 6, 7, 8, 9];
    const all = await model.logits(ids, { positions: 'all' });
    const some = await model.logits(ids, { positions: [1, 4] });
    expect(some.shape).toEqual([2, 128]);
    expect(Array.from(some.data)).toEqual([...all.data.subarray(128, 256), ...all.data.subarray(512)]);
    for (const positions of [[], [4, 1], [1, 1], [5], [-1], 'first']) {
      await expect(model.logits(ids, { positions: positions as never })).rejects.toMatchObject({
        code: 'ERR_NEOX_INVALID_ARGUMENT',
      });
    }
  });

  test('score sums the log-softmax of the logits', async () => {
    const { data } = await model.logits([5, 6, 7, 8], { positions: 'all' });
    const row = data.subarray(128, 256);
    const max = Math.max(...row);
    const logSum = max + Math.log(row.reduce((sum, value) => sum + Math.exp(value - max), 0));
    const { sum, tokens } = await model.score([5, 6], [7, 8]);
    expect(tokens[0]?.logprob).toBeCloseTo((row[7] as number) - logSum, 4);
    expect(sum).toBeCloseTo((tokens[0]?.logprob as number) + (tokens[1]?.logprob as number), 6);
    expect(await model.score([5], [])).toEqual({ sum: 0, tokens: [] });
    await expect(model.score([], [5])).rejects.toMatchObject({ code: 'ERR_NEOX_INVALID_ARGUMENT' });
  });

  test('embed pools hidden states', async () => {
    const size = 64;
    const last = await model.embed([5, 6, 7], { pooling: 'last', normalize: false });
    const mean = await model.embed([5, 6, 7], { normalize: false });
    const rows = await Promise.all(
      [1, 2, 3].map((length) =>
        model.embed([5, 6, 7].slice(0, length), { pooling: 'last', normalize: false }),
      ),
    );
    expect(last).toEqual(rows[2]);
    for (let i = 0; i < size; i++) {
      expect(mean[i]).toBeCloseTo(rows.reduce((sum, row) => sum + (row[i] as number), 0) / 3, 5);
    }
    expect(Math.hypot(...(await model.embed([5, 6, 7])))).toBeCloseTo(1, 6);
    await expect(model.embed([], {})).rejects.toMatchObject({ code: 'ERR_NEOX_INVALID_ARGUMENT' });
  });
});

describe('defaults of a checkpoint', () => {
  test('come from generation_config.json, for chat and preset alone', async () => {
    const config = { do_sample: true, top_k: 3, max_new_tokens: 7, eos_token_id: [9, 10] };
    const path = variant('config', { 'generation_config.json': JSON.stringify(config) });
    const model = await Model.load(path);
    expect(model.generationDefaults).toEqual({ doSample: true, topK: 3, maxNewTokens: 7 });
    const card = await model.generate([1], { preset: 'card', seed: 1, eosTokenId: null }).result();
    expect(card.tokenIds).toHaveLength(7);
    const plain = await model.generate([1], { seed: 1, eosTokenId: null }).result();
    expect(plain.tokenIds).toHaveLength(255);
    const forced = await model.generate([1], { sequenceBias: [[[10], 1000]] }).result();
    expect(forced.finishReason).toBe('eos');
    await model.dispose();
  });

  test('and what a model says of itself cannot be changed, for itself or for others', async () => {
    const model = await Model.load(tiny, { chatFormat: 'line' });
    for (const given of [model.generationDefaults, model.chatFormat, model.config, model.info])
      expect(() => Object.assign(given as object, { name: 'x', temperature: 9 })).toThrow(TypeError);
    await model.dispose();
  });

  test('a default number of new tokens that does not fit becomes what fits', async () => {
    const path = variant('long', { 'generation_config.json': '{"max_new_tokens": 5000}' });
    const model = await Model.load(path);
    const result = await model.generate([1, 2], { preset: 'card', eosTokenId: null }).result();
    expect(result.tokenIds).toHaveLength(254);
    await model.dispose();
  });

  test.each([
    ['no JSON', '{', 'ERR_NEOX_FORMAT_SYNTAX'],
    ['no object', '[]', 'ERR_NEOX_FORMAT_VALUE'],
    ['a value out of range', '{"top_p": 2}', 'ERR_NEOX_FORMAT_VALUE', '`top_p`'],
    ['a list that is none', '{"suppress_tokens": [-1]}', 'ERR_NEOX_FORMAT_VALUE', '`suppress_tokens[0]`'],
    ['an eos that is no id', '{"eos_token_id": "</s>"}', 'ERR_NEOX_FORMAT_VALUE'],
  ])('a generation_config.json with %s is an error', async (_, text, code, message = 'generation_config') => {
    const loading = Model.load(variant('bad', { 'generation_config.json': text }));
    await expect(loading).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    await expect(loading).rejects.toBeInstanceOf(FormatError);
  });
});

// Two layers, two heads of 32 dimensions, keys and values.
test.each([
  ['f32', 4 * 32],
  ['f16', 2 * 32],
  ['q8_0', 32 + 2],
] as const)('a KV cache of %s takes its bytes and gives every position', async (kvCacheType, headBytes) => {
  const { memory } = await Model.inspect(tiny, { kvCacheType, contextLength: 128 });
  expect(memory.kvCacheBytes).toBe(2 * 2 * 2 * 128 * headBytes);
  const model = await Model.load(tiny, { kvCacheType, kvCacheBytes: memory.kvCacheBytes });
  expect(model.info).toMatchObject({ precision: 'exact', kvCacheType, kvCachePositions: 128 });
  const { tokenIds } = await model.generate([1, 2, 3], { maxNewTokens: 120, eosTokenId: null }).result();
  expect(tokenIds).toHaveLength(120);
  await model.dispose();
});

test('a KV cache type that does not exist is an argument error with its value', async () => {
  const options = { kvCacheType: 'q4_0' as 'q8_0' };
  const error = expect.objectContaining({
    code: 'ERR_NEOX_INVALID_ARGUMENT',
    message: expect.stringMatching(/kvCacheType.*q4_0/),
  });
  await expect(Model.load(tiny, options)).rejects.toEqual(error);
  await expect(Model.inspect(tiny, options)).rejects.toEqual(error);
});

describe('inspect', () => {
  test('reads what loading would find', async () => {
    const found = await Model.inspect(demoModelPath(), { contextLength: 128 });
    const model = await Model.load(demoModelPath(), { contextLength: 128, maxSequences: 1 });
    expect(found.config).toEqual(model.config);
    expect(found.chatFormat).toEqual(model.chatFormat);
    expect(found).toMatchObject({
      hasTokenizer: true,
      type: model.info.type,
      precision: model.info.precision,
    });
    const { numHiddenLayers, hiddenSize } = found.config;
    expect(found.memory.kvCacheBytes).toBe(2 * numHiddenLayers * hiddenSize * 128 * 2);
    expect(found.tensors).toHaveLength(4 + 12 * numHiddenLayers);
    expect(found.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0)).toBe(found.fileBytes);
    expect(found.origins.find(({ key }) => key === 'hidden_size')).toEqual({
      key: 'hidden_size',
      value: String(hiddenSize),
      origin: 'file',
    });
    await model.dispose();
  });

  test('a missing file is an error', async () => {
    await expect(Model.inspect('no/such/model.gguf')).rejects.toMatchObject({
      code: 'ERR_NEOX_FILE_NOT_FOUND',
    });
  });
});

describe('jobs', () => {
  test('convert and quantize keep what the model computes', async () => {
    const file = join(folder, 'tiny.gguf');
    const reports: number[] = [];
    const { tensorBytes, fallbacks } = await convert(tiny, file, {
      onProgress: ({ done }) => reports.push(done),
    });
    expect(fallbacks).toEqual([]);
    expect(tensorBytes).toBeGreaterThan(300_000);
    const [a, b] = [await Model.load(tiny), await Model.load(file)];
    const ids = [1, 2, 3, 4];
    const expected = Array.from((await a.logits(ids)).data);
    expect(Array.from((await b.logits(ids)).data)).toEqual(expected);

    const smaller = join(folder, 'tiny.Q8_0.gguf');
    await quantize(file, smaller, { type: 'Q8_0' });
    const [c, d] = [
      await Model.load(smaller, { precision: 'exact' }),
      await Model.load(file, { type: 'Q8_0', precision: 'exact' }),
    ];
    const quantized = Array.from((await c.logits(ids)).data);
    expect(quantized).toEqual(Array.from((await d.logits(ids)).data));
    const off = Math.max(...quantized.map((value, index) => Math.abs(value - (expected[index] as number))));
    expect(off).toBeGreaterThan(0);
    expect(off).toBeLessThan(0.2);
    await Promise.all([a, b, c, d].map((model) => model.dispose()));
  });

  test('an abort rejects with the reason and leaves nothing behind', async () => {
    const output = join(folder, 'aborted.gguf');
    const controller = new AbortController();
    const reason = new Error('enough');
    const job = synth(output, { shape: 'small', tokenizer: false, signal: controller.signal });
    setTimeout(() => controller.abort(reason), 30);
    await expect(job).rejects.toBe(reason);
    expect(existsSync(output)).toBe(false);
    expect(readdirSync(folder).filter((name) => name.includes('aborted'))).toEqual([]);
  });

  test.each([
    ['an unknown shape', () => synth('x.gguf', { shape: '7b' as never })],
    ['no layers', () => synth('x.gguf', { shape: 'tiny', numHiddenLayers: 0 })],
    ['more layers than the shape has', () => synth('x.gguf', { shape: 'tiny', numHiddenLayers: 3 })],
    ['an unknown type', () => quantize('a', 'b', { type: 'Q9' as never })],
    ['no options', () => quantize('a', 'b', undefined as never)],
    ['a path of another type', () => convert(1 as never, 'b')],
  ])('%s is an error', async (_, run) => {
    await expect(run()).rejects.toMatchObject({ code: 'ERR_NEOX_INVALID_ARGUMENT' });
  });
});
