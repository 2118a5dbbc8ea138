// What convert() makes a file say of itself.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collectImportance, convert, FormatError, Model, NeoxError, quantize } from '../../lib/index.js';
import { checkpointPath } from '../integration/fixtures.js';

const tiny = checkpointPath('sequential-erf');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'neox-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('convert keeps the chat format of a directory, however it is called', async () => {
  const source = join(folder, 'japanese-gpt-neox-3.6b-instruction-sft');
  mkdirSync(source);
  for (const file of readdirSync(tiny)) copyFileSync(join(tiny, file), join(source, file));
  const before = process.cwd();
  const [plain, renamed, other] = ['plain', 'renamed', 'other'].map((name) => join(folder, `${name}.gguf`));
  try {
    process.chdir(source);
    expect((await Model.inspect('.')).chatFormat?.name).toBe('rinna-3.6b');
    const model = await Model.load('.');
    expect(model.generationDefaults).toMatchObject({ temperature: 0.8 });
    await model.dispose();
    await convert('.', plain as string);
    await convert('.', renamed as string, { name: 'mine' });
    await convert('.', other as string, { chatFormat: 'line' });
  } finally {
    process.chdir(before);
  }
  const read = async (file: string | undefined) => {
    const { name, chatFormat } = await Model.inspect(file as string);
    return [name, chatFormat?.name];
  };
  expect(await read(plain)).toEqual(['japanese-gpt-neox-3.6b-instruction-sft', 'rinna-3.6b']);
  expect(await read(renamed)).toEqual(['mine', 'rinna-3.6b']);
  expect((await read(other))[1]).toBe('line');
});

test('a chat format that is none is refused, by convert and in a file', async () => {
  const file = join(folder, 'format.gguf');
  const invalid = expect.objectContaining({ code: 'ERR_NEOX_INVALID_ARGUMENT' });
  await expect(convert(tiny, file, { chatFormat: 'lime' })).rejects.toEqual(invalid);
  expect(existsSync(file)).toBe(false);
  await convert(tiny, file, { chatFormat: 'line' });
  const bytes = readFileSync(file);
  const at = bytes.indexOf('neox.chat_format');
  bytes.write('lime', bytes.indexOf('line', at));
  writeFileSync(file, bytes);
  for (const open of [() => Model.load(file), () => Model.inspect(file)]) {
    await expect(open()).rejects.toBeInstanceOf(FormatError);
    await expect(open()).rejects.toMatchObject({ code: 'ERR_NEOX_FORMAT_VALUE' });
  }
});

test('no job writes over what it reads', async () => {
  const source = join(folder, 'source');
  mkdirSync(source);
  for (const file of readdirSync(tiny)) copyFileSync(join(tiny, file), join(source, file));
  const weights = join(source, 'model.safetensors');
  const gguf = join(source, 'model.gguf');
  await convert(source, gguf);
  await convert(source, gguf); // one that was written before is no part of the checkpoint
  const [before, written] = [readFileSync(weights), readFileSync(gguf)];
  const refusal = { code: 'ERR_NEOX_IO', message: expect.stringMatching(/input.*; give another name/) };
  await expect(convert(source, weights)).rejects.toMatchObject(refusal);
  await expect(convert(source, join(source, 'config.json'))).rejects.toMatchObject(refusal);
  await expect(quantize(gguf, gguf, { type: 'Q8_0' })).rejects.toMatchObject(refusal);
  await expect(collectImportance(gguf, gguf, { ids: [1, 2], contextLength: 2 })).rejects.toMatchObject(
    refusal,
  );
  await expect(convert(source, 'a\0b')).rejects.toBeInstanceOf(NeoxError);
  expect(readFileSync(weights).equals(before)).toBe(true);
  expect(readFileSync(gguf).equals(written)).toBe(true);
});
