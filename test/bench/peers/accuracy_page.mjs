// docs/accuracy.md, written from the results.

import { ACCURACY_MODELS } from './accuracy_models.mjs';
import { defaultPrecision, precise, verdicts } from './accuracy_verdicts.mjs';
import { meanOf, neox, quantileOf } from './dist.mjs';
import { checked } from './divergence.mjs';
import { PHASES } from './logits.mjs';
import { shortly, table } from './page_text.mjs';
import { OURS, PEERS, peerOf } from './peers.mjs';

const PRECISIONS = ['exact', 'high', 'fast'];

/** @param all - records; those of other texts or files than the newest of their model and type are left out */
export function renderAccuracy(all) {
  const newest = comparable(all).map(checked);
  const records = newest.filter(({ error }) => !error);
  const failed = newest.filter(({ error }) => error);
  const versions = distinct(records.map(({ engine }) => engine)).map((engine) => {
    const own = records.filter((record) => record.engine === engine).map(({ version }) => version);
    return `${titleOf(engine)}: ${distinct(own).join(' and ')}`;
  });
  const builds = buildsOf(records);
  const references = distinct(records.flatMap(({ reference }) => reference ?? []));
  const days = newest.map(({ at }) => at.slice(0, 10)).sort();
  const models = Object.keys(ACCURACY_MODELS).filter((name) => records.some(({ model }) => model === name));
  const sizes = distinct(
    records.map(({ chunks, kl }) => `${chunks} texts, ${kl.length.toLocaleString('en')} positions`),
  );
  return `${[
    '# Accuracy',
    '',
    'How far the types of weights and the precisions are from the float32 network, and llama.cpp on the very same files. Written by',
    '`npm run bench:accuracy` (test/bench/peers) from its results; not edited by hand.',
    '',
    `- ${distinct([days[0], days.at(-1)]).join(' to ')}; ${versions.join('; ')}`,
    ...(builds.length > 1
      ? [
          `- **${builds.length} builds or instruction sets of gpt-neox stand here**: each of its rows names its own`,
        ]
      : []),
    ...(references.length > 1
      ? [`- the exact logits that rows are compared with were computed by ${references.join(' and ')}`]
      : []),
    `- texts of 512 ids that the F32 model drew (temperature 1, seeded): ${sizes.join(', or ')}, all but the first of each text`,
    "- KL: divergence of the next id's distribution from that of the F32 file under precision `exact`, in nats: mean, and the 99th percentile",
    '  of the positions. Top: positions where both find the same id most likely',
    '- prompt: a text in one pass; step: id by id. Keys and values are f16 in llama.cpp and under `high` and `fast`, f32 under `exact`',
    '- arithmetic alone: mean KL from the same quantized file under `exact`, that is without what its weights have lost',
    '- the files name the tanh form of GELU, the only one that llama.cpp has, so that all compute the same function',
    '',
    '## Against llama.cpp',
    '',
    ...verdicts(records, typesOf(records), builds.length > 1),
    '',
    ...models.flatMap((name) =>
      modelSection(
        name,
        records.filter(({ model }) => model === name),
        builds,
      ),
    ),
    ...failures(failed),
  ]
    .join('\n')
    .trimEnd()}\n`;
}

const distinct = (values) => [...new Set(values)];
const titleOf = (engine) => peerOf(engine).title;
const typesOf = (records) => neox.FILE_TYPES.filter((type) => records.some((record) => record.type === type));
const buildsOf = (records) =>
  distinct(records.filter(({ engine }) => engine === OURS).map(({ version }) => version));

/** Of each row of the tables the record made last, of the texts and files that its model and type were compared on last. */
function comparable(records) {
  const inputs = new Map(records.map((record) => [`${record.model} ${record.type}`, record.inputs]));
  const key = ({ model, type, engine, precision, phase }) => [model, type, engine, precision, phase].join();
  const same = records.filter((record) => inputs.get(`${record.model} ${record.type}`) === record.inputs);
  return [...new Map(same.map((record) => [key(record), record])).values()];
}

function failures(records) {
  if (records.length === 0) return [];
  const rows = records.map(({ model, type, engine, phase, error }) => [
    ...[type, titleOf(engine), model, phase],
    shortly(error),
  ]);
  return ['## Failed', '', table(['weights', 'engine', 'model', 'phase', 'why'], rows, 5)];
}

function modelSection(name, records, builds) {
  const { title, text } = ACCURACY_MODELS[name];
  const header = ['weights', 'engine'];
  for (const phase of PHASES) header.push(`${phase}: KL`, '99 %', 'top', 'arithmetic alone');
  const rows = typesOf(records).flatMap((type) => {
    const own = records.filter((record) => record.type === type);
    const engines = rowsOf(own);
    return engines.map((engine) => {
      const [named, precision] = engine.split(' ');
      const label = named === OURS ? precision : titleOf(named);
      const mine = own.filter((record) => record.engine === OURS && record.precision === precision);
      const commit = builds.length > 1 ? mine.map(({ version }) => ` (${version})`) : [];
      const of = (phase) =>
        own.find(
          (record) => `${record.engine} ${record.precision ?? ''}` === engine && record.phase === phase,
        );
      return [
        type,
        `${precision === defaultPrecision(type) ? `**${label}**` : label}${[...new Set(commit)].join('')}`,
        ...PHASES.flatMap((phase) => cells(of(phase))),
      ];
    });
  });
  return [
    `## ${title}`,
    '',
    `${text[0].toUpperCase()}${text.slice(1)}`,
    'Bold: the default precision of the type.',
    '',
    table(header, rows, 2),
  ];
}

/** `engine precision` of each row: ours by precision, then the others. */
function rowsOf(records) {
  const order = [...PRECISIONS.map((name) => `${OURS} ${name}`), ...PEERS.map(({ name }) => `${name} `)];
  const has = new Set(records.map(({ engine, precision }) => `${engine} ${precision ?? ''}`));
  return order.filter((row) => has.has(row));
}

function cells(record) {
  if (!record) return ['-', '-', '-', '-'];
  const { kl, same, ownKl } = record;
  return [
    precise(meanOf(kl)),
    precise(quantileOf(kl, 0.99)),
    `${((100 * same) / kl.length).toFixed(1)} %`,
    precise(meanOf(ownKl)),
  ];
}
