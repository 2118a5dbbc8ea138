// Random text and random ids in the hands of transformers' slow T5Tokenizer and of ours: no case may differ. Runs where a
// Python with transformers 4.57.6, sentencepiece 0.2.1, protobuf and gguf is at hand (NEOX_PYTHON names one; python3
// otherwise). NEOX_CASES_SEED sets the seed, NEOX_CASES the number of strings; a fifth as many lists of ids are decoded.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoModelPath, Tokenizer } from '../../lib/index.js';
import { record } from './parity-figures.js';
import { lines, testWhere } from './python.js';
import { differences, type NamedIds, namedDifferences, type SpieceCase } from './spiece-cases.js';

const SEED = '1';
const COUNT = 100_000;
const seed = process.env.NEOX_CASES_SEED ?? SEED;
const count = Number(process.env.NEOX_CASES ?? COUNT);
const folder = mkdtempSync(join(tmpdir(), 'neox-cases-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

testWhere('transformers, sentencepiece, gguf, google.protobuf')(
  'the slow T5Tokenizer makes the same of every text and of every list of ids',
  async () => {
    const args = [folder, seed, String(count), String(Math.ceil(count / 5)), demoModelPath()];
    const found: object[] = [];
    const done = { strings: 0, lists: 0, shapes: 0 };
    let shape = '';
    let tokenizer: Tokenizer | undefined;
    for await (const line of lines('spiece_cases.py', args)) {
      const entry = JSON.parse(line) as SpieceCase | ({ shape: string } & NamedIds);
      if ('shape' in entry) {
        shape = entry.shape;
        tokenizer = await Tokenizer.load(shape === 'demo' ? demoModelPath() : join(folder, shape));
        found.push(...namedDifferences(tokenizer, entry).map((difference) => ({ shape, ...difference })));
        done.shapes++;
        continue;
      }
      done['text' in entry ? 'strings' : 'lists']++;
      if (tokenizer)
        found.push(...differences(tokenizer, entry).map((difference) => ({ shape, ...difference })));
    }
    console.info(`seed ${seed}: ${JSON.stringify(done)}, ${found.length} differences`);
    expect(found.slice(0, 20)).toEqual([]);
    expect(done).toMatchObject({ strings: count, lists: Math.ceil(count / 5) });
    if (seed === SEED && count === COUNT) {
      const { strings: texts, lists: listsOfIds, shapes: tokenizers } = done;
      record('tokenizer', { texts, listsOfIds, tokenizers, differences: found.length });
    }
  },
  1_200_000,
);
