// Text in, text out, on a checkpoint of the sibling families with each of their tokenizers: what transformers continues.

import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert, Model } from '../../lib/index.js';
import { writeSafetensors } from './containers.js';
import { checkpointPath, fixturesDir } from './fixtures.js';

const CHECKPOINT = 'padded-vocabulary';

interface Case {
  tokenizer: string;
  prompt: string;
  ids: number[];
  newIds: number[];
  text: string;
}
const cases: Case[] = JSON.parse(readFileSync(join(checkpointPath(CHECKPOINT), 'texts.json'), 'utf8'));

const folder = mkdtempSync(join(tmpdir(), 'neox-texts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function directoryWith(tokenizer: string): string {
  const directory = writeSafetensors(CHECKPOINT, join(folder, tokenizer), 1);
  const source = join(fixturesDir, 'tokenizer', 'bpe', tokenizer);
  for (const file of readdirSync(source)) {
    if (file !== 'golden.json') copyFileSync(join(source, file), join(directory, file));
  }
  return directory;
}

async function expectCases(path: string, tokenizer: string): Promise<void> {
  const model = await Model.load(path, { precision: 'exact' });
  for (const { prompt, ids, newIds, text } of cases.filter((one) => one.tokenizer === tokenizer)) {
    expect(model.tokenizer.encode(prompt, { addSpecialTokens: false })).toEqual(ids);
    const options = { temperature: 0, eosTokenId: null, maxNewTokens: newIds.length };
    const generation = model.generate(prompt, options);
    let streamed = '';
    for await (const chunk of generation) streamed += chunk.text;
    const result = await generation.result();
    expect(result.tokenIds).toEqual(newIds);
    expect(result.text).toBe(text);
    expect(streamed).toBe(text);
  }
  expect(model.config.vocabSize).toBeGreaterThan(model.tokenizer.vocabSize);
  await model.dispose();
}

test.each([...new Set(cases.map((one) => one.tokenizer))])('%s', async (tokenizer) => {
  const directory = directoryWith(tokenizer);
  await expectCases(directory, tokenizer);
  const file = join(directory, 'model.gguf');
  await convert(directory, file);
  await expectCases(file, tokenizer);
});
