// Every spelling of scaled positions in config.json, on the weights of the checkpoints that scale.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert, Model } from '../../lib/index.js';
import { writeSafetensors } from './containers.js';
import { longPromptIds } from './fixtures.js';

const folder = mkdtempSync(join(tmpdir(), 'neox-rope-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const contextLength = 512;

async function logits(path: string): Promise<Float32Array> {
  const model = await Model.load(path, { precision: 'exact', contextLength });
  const ids = longPromptIds(contextLength, model.config.vocabSize);
  const { data } = await model.logits(ids, { positions: [63, 64, 300, contextLength - 1] });
  await model.dispose();
  return data;
}

/** A copy of a checkpoint whose config.json says `keys` instead of everything about its positions. */
function withKeys(name: string, spelling: string, keys: object): string {
  const directory = writeSafetensors(name, join(folder, name, spelling), 1);
  const path = join(directory, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8'));
  for (const key of [
    'rope_scaling',
    'rope_theta',
    'rotary_emb_base',
    'rotary_pct',
    'partial_rotary_factor',
  ]) {
    delete config[key];
  }
  writeFileSync(path, JSON.stringify({ ...config, ...keys }));
  return directory;
}

describe.each([
  ['rinna-bilingual-4b-8k', 'linear', 4],
  ['sequential-dynamic-rope', 'dynamic', 2],
] as const)('%s', (name, type, factor) => {
  const older = { rotary_emb_base: 10000, rotary_pct: 1 };
  const newer = { rope_theta: 10000, partial_rotary_factor: 1 };
  const spellings: Record<string, object> = {
    type: { ...older, rope_scaling: { type, factor } },
    rope_type: { ...older, rope_scaling: { rope_type: type, factor } },
    both: { ...older, rope_scaling: { type, rope_type: type, factor } },
    rope_parameters: { rope_parameters: { ...newer, rope_type: type, factor } },
    'the newer names': { ...newer, rope_scaling: { rope_type: type, factor } },
  };
  let expected: Float32Array;
  let plain: string;

  beforeAll(async () => {
    plain = withKeys(name, 'none', older);
    expected = await logits(join(__dirname, '..', 'fixtures', 'checkpoints', name));
  });

  test.each(Object.keys(spellings))('%s', async (spelling) => {
    const directory = withKeys(name, spelling, spellings[spelling] ?? {});
    expect((await Model.inspect(directory)).config.ropeScaling).toEqual({ type, factor });
    expect(await logits(directory)).toEqual(expected);
  });

  test('without it the logits are others', async () => {
    expect((await Model.inspect(plain)).config.ropeScaling).toBeNull();
    expect(await logits(plain)).not.toEqual(expected);
  });

  test('a GGUF file carries it', async () => {
    const output = join(folder, `${name}.gguf`);
    await convert(join(__dirname, '..', 'fixtures', 'checkpoints', name), output);
    expect((await Model.inspect(output)).config.ropeScaling).toEqual({ type, factor });
    expect(await logits(output)).toEqual(expected);
  });
});
