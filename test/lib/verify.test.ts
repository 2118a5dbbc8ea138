import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Progress, verify } from '../../lib/index.js';
import { checkpointPath } from '../integration/fixtures.js';

const tiny = checkpointPath('sequential-erf');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'neox-verify-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a sound checkpoint, with the sums of its files', async () => {
  const reports: Progress[] = [];
  const found = await verify(tiny, { onProgress: (progress) => reports.push(progress) });
  expect(found).toMatchObject({ isSound: true, badTensors: [], hasTokenizer: false, warnings: [] });
  const weights = found.files.find(({ name }) => name === 'model.safetensors');
  const content = readFileSync(join(tiny, 'model.safetensors'));
  expect(weights).toMatchObject({
    bytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
    md5: createHash('md5').update(content).digest('hex'),
    isIntact: undefined,
  });
  const { done, total } = reports.at(-1) as Progress;
  expect(done).toBe(total);
});

test('a number that is not finite', async () => {
  cpSync(tiny, folder, { recursive: true });
  const path = join(folder, 'model.safetensors');
  const content = readFileSync(path);
  const header = JSON.parse(content.subarray(8, 8 + Number(content.readBigUInt64LE(0))).toString());
  const [begin] = header['gpt_neox.final_layer_norm.weight'].data_offsets;
  content.writeFloatLE(Number.NaN, 8 + Number(content.readBigUInt64LE(0)) + begin + 4 * 3);
  writeFileSync(path, content);
  const found = await verify(folder);
  expect(found.isSound).toBe(false);
  expect(found.badTensors).toEqual([{ name: 'output_norm.weight', nan: 1, infinite: 0, row: 0, column: 3 }]);
});

test('a file of the hub cache is compared with its name there', async () => {
  cpSync(tiny, folder, { recursive: true });
  const weights = join(folder, 'model.safetensors');
  const content = readFileSync(weights);
  const sha256 = createHash('sha256').update(content).digest('hex');
  rmSync(weights);
  writeFileSync(join(folder, sha256), content);
  symlinkSync(sha256, weights);
  const intact = async () => (await verify(folder)).files.find(({ name }) => name === 'model.safetensors');
  expect((await intact())?.isIntact).toBe(true);
  content.writeFloatLE(0.125, content.length - 4); // as finite as before
  writeFileSync(join(folder, sha256), content);
  expect((await intact())?.isIntact).toBe(false);
  expect((await verify(folder)).isSound).toBe(false);
});

test('files in folders are named by their paths, and read of a pulled repository alone', async () => {
  const namesIn = async (place: string) => (await verify(place)).files.map(({ name }) => name);
  const pulled = join(folder, 'a'.repeat(40));
  for (const place of [pulled, join(folder, 'model')]) {
    cpSync(tiny, place, { recursive: true });
    cpSync(join(tiny, 'config.json'), join(place, 'more', 'config.json'));
  }
  const top = readdirSync(tiny).sort();
  expect(await namesIn(join(folder, 'model'))).toEqual(top);
  expect(await namesIn(pulled)).toEqual([...top, 'more/config.json'].sort());
});

test('a tokenizer of a kind that is not supported is no damage: the model takes ids', async () => {
  cpSync(tiny, folder, { recursive: true });
  const bpe = join(__dirname, '..', 'fixtures', 'tokenizer', 'bpe', 'digits', 'tokenizer.json');
  const json = JSON.parse(readFileSync(bpe, 'utf8'));
  json.model.type = 'WordPiece';
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(json));
  const found = await verify(folder);
  expect(found).toMatchObject({ isSound: true, hasTokenizer: false });
  expect(found.tokenizerNote).toMatch(/'WordPiece', which is not supported/);
});

test('errors: nothing there, a broken file, an abort', async () => {
  await expect(verify(join(folder, 'none'))).rejects.toMatchObject({ code: 'ERR_NEOX_FILE_NOT_FOUND' });
  const broken = join(folder, 'broken.gguf');
  writeFileSync(broken, 'GGUF');
  await expect(verify(broken)).rejects.toMatchObject({ code: 'ERR_NEOX_FORMAT_TRUNCATED' });
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(verify(tiny, { signal })).rejects.toThrow('enough');
});
