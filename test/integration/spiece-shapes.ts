// The sentencepiece tokenizers of every shape that are committed with what the slow T5Tokenizer makes of strings and ids.

import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fixturesDir } from './fixtures.js';
import type { NamedIds, SpieceCase } from './spiece-cases.js';

type Compact<T> = T extends { tokens: string[] } ? Omit<T, 'tokens'> & { tokens: string[] | number } : never;

export interface SpieceGolden {
  model: string;
  /** Hexadecimal; what follows the model in spiece.model. */
  more: string;
  files: Record<string, object>;
  special: NamedIds;
  /** Tokens given as a number are those of as many ids. */
  strings: Compact<SpieceCase>[];
  idLists: Exclude<SpieceCase, { text: string }>[];
}

const goldenDir = join(fixturesDir, 'tokenizer', 'spiece');

export const spieceShapes = readdirSync(goldenDir).flatMap((name) =>
  name.endsWith('.json') ? [name.slice(0, -5)] : [],
);

export function spieceGolden(shape: string): SpieceGolden {
  return JSON.parse(readFileSync(join(goldenDir, `${shape}.json`), 'utf8'));
}

/** Writes the tokenizer's files into a new directory. */
export function writeSpiece(shape: string, directory: string): string {
  const { model, more, files } = spieceGolden(shape);
  mkdirSync(directory);
  const spiece = join(directory, 'spiece.model');
  copyFileSync(join(goldenDir, `${model}.model`), spiece);
  writeFileSync(spiece, Buffer.from(more, 'hex'), { flag: 'a' });
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(directory, name), JSON.stringify(content));
  return directory;
}
