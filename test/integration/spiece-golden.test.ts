// Golden strings and lists of ids of the slow T5Tokenizer, for tokenizers of every shape: from the directory and from our GGUF.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert, Tokenizer } from '../../lib/index.js';
import { differences, namedDifferences, type SpieceCase } from './spiece-cases.js';
import { type SpieceGolden, spieceGolden, spieceShapes, writeSpiece } from './spiece-shapes.js';
import { zeroCheckpoint } from './zero-checkpoint.js';

const folder = mkdtempSync(join(tmpdir(), 'neox-spiece-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function cases(tokenizer: Tokenizer, { strings, idLists }: SpieceGolden): SpieceCase[] {
  const whole = strings.map(({ tokens, ...entry }) => ({
    ...entry,
    tokens:
      typeof tokens === 'number' ? entry.ids.slice(0, tokens).map((id) => tokenizer.idToToken(id)) : tokens,
  }));
  return [...whole, ...idLists];
}

test('there are at least 2,000 strings', () => {
  const count = spieceShapes.reduce((sum, shape) => sum + spieceGolden(shape).strings.length, 0);
  expect(count).toBeGreaterThanOrEqual(2000);
});

test.each(spieceShapes)(
  '%s: tokens, ids and text are those of the slow T5Tokenizer, also from GGUF',
  async (shape) => {
    const directory = writeSpiece(shape, join(folder, `${shape}-files`));
    const file = join(folder, `${shape}.gguf`);
    await convert(zeroCheckpoint(join(folder, shape), directory, 1100), file);
    for (const path of [directory, file]) {
      const tokenizer = await Tokenizer.load(path);
      expect(namedDifferences(tokenizer, spieceGolden(shape).special)).toEqual([]);
      const all = cases(tokenizer, spieceGolden(shape));
      expect(all.flatMap((entry) => differences(tokenizer, entry)).slice(0, 10)).toEqual([]);
    }
  },
);
