// Tokenizers on their way through GGUF: the same ids from every container, ours and others'.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert, demoModelPath, Model, synth, Tokenizer } from '../../lib/index.js';
import { fixturesDir } from './fixtures.js';
import { bpeShapes, zeroCheckpoint } from './zero-checkpoint.js';

const zeros = (shape: string, rows = 640): string =>
  zeroCheckpoint(join(folder, `${shape}-${rows}`), shape, rows);
const folder = mkdtempSync(join(tmpdir(), 'neox-tokenizers-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function goldenStrings(path: string): { text: string; ids: number[] }[] {
  return JSON.parse(readFileSync(path, 'utf8')).strings;
}

/** The file without the project's own tokenizer keys: another key of the same length is one that nobody reads. */
function withoutOwnKeys(path: string): string {
  const bytes = readFileSync(path);
  for (const key of ['neox.tokenizer.spiece', 'neox.tokenizer.json']) {
    const at = bytes.indexOf(key);
    if (at >= 0) bytes.write('x', at);
  }
  const stripped = `${path}.stripped.gguf`;
  writeFileSync(stripped, bytes);
  return stripped;
}

test.each(readdirSync(bpeShapes))('%s: a converted file has the ids of its directory', async (shape) => {
  const directory = zeros(shape);
  const path = join(folder, `${shape}.gguf`);
  await convert(directory, path);
  const [ours, original] = [await Tokenizer.load(path), await Tokenizer.load(directory)];
  for (const { text, ids } of goldenStrings(join(directory, 'golden.json'))) {
    expect(ours.encode(text, { addSpecialTokens: false })).toEqual(ids);
    expect(ours.encode(text)).toEqual(original.encode(text));
  }
  expect(ours.allSpecialIds).toEqual(original.allSpecialIds);
  const model = await Model.load(path);
  expect(model.tokenizer.decode(model.tokenizer.encode('猫です。'))).toBe(
    original.decode(original.encode('猫です。')),
  );
  const { tokenIds } = await model.generate('a', { maxNewTokens: 2, eosTokenId: null }).result();
  expect(tokenIds).toHaveLength(2);
  await model.dispose();
});

// What GGUF has no key for: flags of added tokens, templates, other normalizers.
test.each(['neox-20b', 'dolly', 'open-calm', 'legacy'])(
  '%s: the ids come back from the keys of llama.cpp alone',
  async (shape) => {
    const path = join(folder, `${shape}-keys.gguf`);
    await convert(zeros(shape, 704), path);
    const tokenizer = await Tokenizer.load(withoutOwnKeys(path));
    for (const { text, ids } of goldenStrings(join(bpeShapes, shape, 'golden.json'))) {
      // Of `legacy`, the tokens of added_tokens.json are in no file that GGUF's keys are made from.
      if (shape === 'legacy' && /### End|\[TOOL\]/.test(text)) continue;
      expect([text, tokenizer.encode(text, { addSpecialTokens: false })]).toEqual([text, ids]);
    }
  },
);

test('the sentencepiece ids come back from the keys of llama.cpp alone', async () => {
  const strings = goldenStrings(join(fixturesDir, 'tokenizer', 'demo_strings.json'));
  const bytes = readFileSync(demoModelPath());
  const copy = join(folder, 'demo.gguf');
  writeFileSync(copy, bytes);
  const tokenizer = await Tokenizer.load(withoutOwnKeys(copy));
  for (const { text, ids } of strings) {
    expect([text, tokenizer.encode(text, { addSpecialTokens: false })]).toEqual([text, ids]);
  }
});

test.each(['neox-20b', 'open-calm', 'digits'])('%s: a file of llama.cpp has the same ids', async (shape) => {
  const tokenizer = await Tokenizer.load(join(bpeShapes, shape, 'llama-cpp.gguf'));
  for (const { text, ids } of goldenStrings(join(bpeShapes, shape, 'golden.json'))) {
    // The tokens of tokenizer_config.json alone are not in that file.
    if (shape === 'digits' && /<mask>|<pad>|word|\[TOOL\]/.test(text)) continue;
    expect([text, tokenizer.encode(text, { addSpecialTokens: false })]).toEqual([text, ids]);
  }
});

test('a model whose tokenizer is of another kind takes ids, and inspect says why', async () => {
  const directory = zeros('open-calm', 576);
  const file = join(directory, 'tokenizer.json');
  writeFileSync(
    file,
    readFileSync(file, 'utf8').replace(
      '"pre_tokenizer":{"type":"ByteLevel"',
      '"pre_tokenizer":{"type":"Whitespace"',
    ),
  );
  const path = join(folder, 'other.gguf');
  await convert(directory, path);
  for (const each of [directory, path]) {
    const found = await Model.inspect(each);
    expect(found.hasTokenizer).toBe(false);
    expect(found.tokenizerNote).toContain('pre_tokenizer');
    const model = await Model.load(each);
    expect(model.hasTokenizer).toBe(false);
    expect(() => model.tokenizer).toThrow('is not supported');
    const { data } = await model.logits([1, 2]);
    expect(data).toHaveLength(576);
    await model.dispose();
    await expect(Tokenizer.load(each)).rejects.toMatchObject({ code: 'ERR_NEOX_UNSUPPORTED' });
  }
});

test('synth takes a byte-level tokenizer too', async () => {
  const path = join(folder, 'synth.gguf');
  await synth(path, { shape: 'tiny', type: 'Q8_0', tokenizer: join(bpeShapes, 'dolly') });
  const model = await Model.load(path);
  expect(model.tokenizer.encode('### End')).toHaveLength(1);
  expect(model.tokenizer.decode([2000])).toBe('');
  await model.dispose();
});
