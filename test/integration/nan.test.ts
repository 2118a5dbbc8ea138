// Numbers that a checkpoint must not hold: the error of a call names the layer in which a NaN first shows.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Model } from '../../lib/index.js';
import { checkpointPath } from './fixtures.js';

const CHECKPOINT = 'sequential-erf'; // 2 layers, hidden 64, F32
const folder = mkdtempSync(join(tmpdir(), 'neox-nan-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The checkpoint with one number of a tensor replaced. */
function planted(tensor: string, index: number, value: number): string {
  const directory = mkdtempSync(join(folder, 'checkpoint-'));
  cpSync(checkpointPath(CHECKPOINT), directory, { recursive: true });
  const path = join(directory, 'model.safetensors');
  const file = readFileSync(path);
  const headerLength = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerLength));
  file.writeFloatLE(value, 8 + headerLength + header[tensor].data_offsets[0] + 4 * index);
  writeFileSync(path, file);
  return directory;
}

const layer = (index: number): string => `gpt_neox.layers.${index}.`;
const ids = [9, 8, 7, 6, 5];
const greedy = { temperature: 0, eosTokenId: null, maxNewTokens: 4 };

test.each<[string, string, number, number, RegExp]>([
  [
    'a NaN in an embedding',
    'gpt_neox.embed_in.weight',
    64 * 7,
    Number.NaN,
    /first shows at position 2 in the embedding\.$/,
  ],
  ['a NaN in layer 0', `${layer(0)}mlp.dense_4h_to_h.bias`, 3, Number.NaN, /at position 0 in layer 0 \(of 2/],
  [
    'a NaN in the attention of layer 1',
    `${layer(1)}attention.dense.weight`,
    5,
    Number.NaN,
    /at position 0 in layer 1 \(of 2/,
  ],
  [
    'an infinity in layer 0 that makes a NaN in layer 1',
    `${layer(0)}mlp.dense_4h_to_h.bias`,
    3,
    Number.POSITIVE_INFINITY,
    /at position 0 in layer 1 .*, after an infinity at position 0 in layer 0 /,
  ],
  [
    'a number so large that the attention overflows',
    `${layer(1)}input_layernorm.bias`,
    0,
    3e38,
    /in layer 1 /,
  ],
  [
    'a NaN in the final norm',
    'gpt_neox.final_layer_norm.bias',
    1,
    Number.NaN,
    /first shows there, in the final norm\.$/,
  ],
  ['a NaN in the head', 'embed_out.weight', 64 * 30, Number.NaN, /first shows there, in the head\.$/],
])('%s', async (_, tensor, index, value, place) => {
  const model = await Model.load(planted(tensor, index, value), { precision: 'exact' });
  const error = { code: 'ERR_NEOX_NAN', message: expect.stringMatching(place) };
  await expect(model.generate(ids, greedy).result()).rejects.toMatchObject(error);
  if (!tensor.startsWith('embed_out')) {
    await expect(model.hiddenStates(ids, { positions: 'all' })).rejects.toMatchObject({
      code: 'ERR_NEOX_NAN',
    });
  }
  await model.dispose();
});

test('other sequences are untouched, and the session goes on', async () => {
  const model = await Model.load(planted('gpt_neox.embed_in.weight', 64 * 7, Number.NaN), {
    precision: 'exact',
  });
  const session = model.createSession();
  const healthy = [9, 8, 6, 5];
  const first = await session.generate(healthy, greedy).result();
  const [bad, good] = await Promise.allSettled([
    session.generate([7], greedy).result(),
    model.generate(healthy, greedy).result(),
  ]);
  expect(bad).toMatchObject({
    status: 'rejected',
    reason: { code: 'ERR_NEOX_NAN', message: expect.stringMatching(/position 8 in the embedding/) },
  });
  expect(good).toMatchObject({ value: { tokenIds: first.tokenIds } });
  expect(session.tokenIds).toEqual([...healthy, ...first.tokenIds]);
  const whole = await model.generate(healthy, { ...greedy, maxNewTokens: 8 }).result();
  const second = await session.generate([], greedy).result();
  expect([...first.tokenIds, ...second.tokenIds]).toEqual(whole.tokenIds);
  await model.dispose();
});

test('a NaN late in a long prompt is found, and one of the score of a continuation, too', async () => {
  const model = await Model.load(planted('gpt_neox.embed_in.weight', 64 * 7, Number.NaN), {
    precision: 'exact',
  });
  const long = Array.from({ length: 200 }, (_, index) => (index === 170 ? 7 : 10 + (index % 50)));
  const error = { code: 'ERR_NEOX_NAN', message: expect.stringMatching(/position 170 in the embedding/) };
  await expect(model.logits(long)).rejects.toMatchObject(error);
  await expect(model.score(long, [1, 2])).rejects.toMatchObject(error);
  await model.dispose();
});
