// docs/parity.md: what is the same as in transformers, what is not, and why. The page is made here, from rows that name their
// tests and from figures measured on the spot, and must be the committed one.
// NEOX_WRITE_DOCS=1 npx jest test/integration/parity-page.test.ts  writes it.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SAMPLER_OPTIONS } from '../../lib/sampler-options.js';
import { clear, fields } from './generation-cases.js';
import { camelCase, FIELDS } from './parity-fields.js';
import { recorded, recordedNames } from './parity-figures.js';
import { type ForwardRow, measureModels, measureProcessors, withinText } from './parity-measures.js';
import { COMPARISONS, SECTIONS } from './parity-rows.js';

const root = join(__dirname, '..', '..');
const document = join(root, 'docs', 'parity.md');

const HEAD = `# Parity with transformers

Written by \`test/integration/parity-page.test.ts\`; \`npm test\` fails where it is not what the tests find.

The reference is transformers 4.57.6 with its slow T5Tokenizer, sentencepiece 0.2.1 and torch 2.13.0, on the CPU in float32. What
it computes is committed (\`test/fixtures\`, \`scripts/make_fixtures.py\`) for {checkpoints} small random checkpoints that have, between them, every
switch of the models in [models.md](models.md); weights of the real models could not be had. Ours runs with \`precision: 'exact'\`. In the tables,
**identical** is equality of ids, strings or sets; **within 1e-4** is of the largest value. Each row names the test that shows it.
`;

const table = (heads: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [heads, heads.map((_, i) => (rows.every((row) => typeof row[i] === 'number') ? '---:' : '---')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');

function sectionText({ title, rows }: (typeof SECTIONS)[number]): string {
  const cells = rows.map(({ feature, standing, text, shown }) => [
    feature,
    standing === 'identical' ? '**identical**' : standing,
    text,
    shown ? `\`test/${shown[0]}\`` : '',
  ]);
  return `## ${title}\n\n${table(['feature', '', 'what, and why where it is not the same', 'shown by'], cells)}\n`;
}

const forwardText = (rows: readonly ForwardRow[]): string => `## Measured: forward pass

The largest difference as a share of the largest value, on a prompt of 150 tokens, and of 32 greedy steps those with the same id.

${table(
  ['checkpoint', 'logits', 'last hidden state', 'log-probabilities', 'greedy steps'],
  rows.map((row) => [
    row.checkpoint,
    withinText(row.logits),
    withinText(row.hidden),
    withinText(row.logprobs),
    row.greedySteps,
  ]),
)}
`;

/** Fields that are absent for the same reason stand in one row. */
function fieldsText(): string {
  const rows = new Map<string, string[]>();
  for (const { name, ours, standing, text } of FIELDS) {
    const there = `\`${name}\``;
    const row = standing === 'none' ? rows.get(text ?? '') : undefined;
    if (row) row[0] += `, ${there}`;
    else if (standing === 'none') rows.set(text ?? '', [there, '', 'absent', text ?? '']);
    else {
      const word = standing === 'same' ? 'the same' : 'different';
      rows.set(name, [there, `\`${ours ?? camelCase(name)}\``, word, text ?? '']);
    }
  }
  return `## Every field of GenerationConfig\n\n${table(['there', 'here', '', ''], [...rows.values()])}\n`;
}

/** Long figures, as many probabilities in a row, are set below the table. */
const LONG = 40;

function comparisonsText(): string {
  const inWords = (key: string): string => key.replace(/([A-Z])/g, ' $1').toLowerCase();
  const below: string[] = [];
  const rows = recordedNames().map((name) => {
    const { title, test } = COMPARISONS[name] ?? { title: name, test: '' };
    const figures = Object.entries(recorded(name));
    const isLong = ([, value]: (typeof figures)[number]): boolean => `${value}`.length > LONG;
    const long = figures.filter(isLong);
    if (long.length > 0) below.push(`${title}:\n\n${table(['', 'by seed, from 0'], long)}\n`);
    const short = figures.filter((figure) => !isLong(figure));
    const found = short.map(([key, value]) => `${inWords(key)} ${value.toLocaleString('en')}`);
    return [title, found.join(', '), `\`test/${test}\``];
  });
  const all = table(['comparison', 'found', 'by'], rows);
  return `## Measured: random cases

Where one of these needs transformers itself, it runs where \`NEOX_PYTHON\` names a Python that has it. The figures are those of
its default seed, the same wherever it runs.

${[`${all}\n`, ...below].join('\n')}`;
}

test('every row names a test that is there', () => {
  const shown = SECTIONS.flatMap(({ rows }) => rows.map((row) => row.shown)).filter(
    (one) => one !== undefined,
  );
  for (const [file, title] of shown) {
    expect([file, title, readFileSync(join(root, 'test', file), 'utf8').includes(title)]).toEqual([
      file,
      title,
      true,
    ]);
  }
  for (const name of recordedNames()) {
    const test = COMPARISONS[name]?.test ?? '';
    expect([name, existsSync(join(root, 'test', test)) && test !== '']).toEqual([name, true]);
  }
  for (const { rows } of SECTIONS) {
    for (const { feature, standing, shown: by } of rows)
      expect([feature, standing === 'absent' || by !== undefined]).toEqual([feature, true]);
  }
});

test('every field of GenerationConfig has its row, and every option that has its name is named there', () => {
  expect(FIELDS.map(({ name }) => name).sort()).toEqual(fields);
  const named = FIELDS.filter(({ standing }) => standing !== 'none').map(
    ({ name, ours }) => ours ?? camelCase(name),
  );
  const ours = SAMPLER_OPTIONS.filter((option) => fields.some((field) => camelCase(field) === option));
  for (const option of ours) expect(named).toContain(option);
});

test('docs/parity.md is what the tests find', async () => {
  const { forward, families } = await measureModels();
  const search = `## Measured: generate()

Five prompts of each checkpoint, of 1 to 60 tokens with motifs that come again, under settings drawn from a seed. A choice is clear where its
margin is more than ${clear} of the largest logit: between the best two scores of a step; for beams, between what was kept and what was dropped,
what was returned and in which order, and what the search's end hung on.

${table(
  ['settings', 'cases', 'sequences', 'identical', 'not all clear'],
  families.map((row) => [row.family, row.cases, row.sequences, row.same, row.open]),
)}
`;
  const processors = `## Measured: logits processors

Rows of scores through the processors that \`generate()\` would build there, and through \`Sampler.process\` here.

${table(
  ['option', 'rows', 'same tokens kept', 'values'],
  measureProcessors().map((row) => [row.option, row.vectors, row.sameKept, withinText(row.error)]),
)}
`;
  const parts = [
    HEAD.replace('{checkpoints}', String(forward.length)),
    ...SECTIONS.map(sectionText),
    forwardText(forward),
    search,
    processors,
    comparisonsText(),
    fieldsText(),
  ];
  const page = parts.join('\n');
  if (process.env.NEOX_WRITE_DOCS) writeFileSync(document, page);
  expect(readFileSync(document, 'utf8')).toBe(page);
}, 60_000);
