// Figures of comparisons, most of which need Python, kept for docs/parity.md: one file each in test/fixtures/parity.
// NEOX_RECORD=1 npx jest test/integration/<the comparison>.test.ts  writes them; the page then has to be made anew, and needs a
// row of COMPARISONS (parity-rows.ts) for a new name.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fixturesDir } from './fixtures.js';

/** What a comparison found, the same on every machine: counts, and bounds that it asserted; no measured error, date or time. */
export type Figures = Record<string, number | string>;

const folder = join(fixturesDir, 'parity');

/**
 * Ends a comparison that ran over what its seeds say: with NEOX_RECORD=1 its figures are written, otherwise they must be the
 * committed ones, so that the page never says what a test no longer finds. `name` is a file name, `tokenizer-strings` for one.
 */
export function record(name: string, figures: Figures): void {
  const path = join(folder, `${name}.json`);
  if (process.env.NEOX_RECORD) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, `${JSON.stringify(figures, null, 2)}\n`);
  }
  expect({ [name]: figures }).toEqual({ [name]: recorded(name) });
}

/** The committed figures of a comparison. */
export function recorded(name: string): Figures {
  return JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'));
}

/** Names of all comparisons whose figures are committed. */
export function recordedNames(): string[] {
  return readdirSync(folder)
    .map((file) => basename(file, '.json'))
    .sort();
}
