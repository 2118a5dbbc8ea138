// docs/accuracy.md, written from the results.

import { ACCURACY_MODELS } from './accuracy_models.mjs';
import { errorOfMean, mean, quantile } from './divergence.mjs';
import { PHASES } from './logits.mjs';
import { OURS, peerOf } from './peers.mjs';

const FLOATS = ['F32', 'F16', 'BF16'];
const defaultPrecision = (type) => (FLOATS.includes(type) ? 'high' : 'fast');
const MEASURES = { kl: 'from the F32 file', ownKl: 'of the arithmetic alone' };

export function renderAccuracy(records, { chunks, types }) {
  const newest = latest(records);
  const versions = [...new Set(newest.map(({ engine }) => engine))].map((engine) => {
    const own = newest.filter((record) => record.engine === engine).map(({ version }) => version);
    return `${titleOf(engine)}: ${[...new Set(own)].join(' and ')}`;
  });
  const days = newest.map(({ at }) => at.slice(0, 10)).sort();
  const positions = newest[0].kl.length;
  const models = Object.keys(ACCURACY_MODELS).filter((name) => newest.some(({ model }) => model === name));
  return `${[
    '# Accuracy',
    '',
    'How far the types of weights and the precisions are from the float32 network, and llama.cpp on the very same files. Written by',
    '`npm run bench:accuracy` (test/bench/peers) from its results; not edited by hand.',
    '',
    `- ${days[0] === days.at(-1) ? days[0] : `${days[0]} to ${days.at(-1)}`}; ${versions.join('; ')}`,
    `- ${chunks} texts of ${positions / chunks + 1} ids that the F32 model drew (temperature 1, seeded), ${positions.toLocaleString('en')} positions: all but the first of each text`,
    "- KL: divergence of the next id's distribution from that of the F32 file under precision `exact`, in nats: mean, and the 99th percentile",
    '  of the positions. Top: positions where both find the same id most likely',
    '- prompt: a text in one pass; step: id by id. Keys and values are f16 in llama.cpp and under `high` and `fast`, f32 under `exact`',
    '- arithmetic alone: mean KL from the same quantized file under `exact`, that is without what its weights have lost',
    '- the files name the tanh form of GELU, the only one that llama.cpp has, so that all compute the same function',
    '- bold: the default precision of the type',
    '',
    ...models.flatMap((name) =>
      modelSection(
        name,
        newest.filter(({ model }) => model === name),
        types,
      ),
    ),
    '## Against llama.cpp',
    '',
    ...verdicts(newest, types),
  ].join('\n')}\n`;
}

/** Of each row of the tables the record made last. */
function latest(records) {
  const key = ({ model, type, engine, precision, phase }) => [model, type, engine, precision, phase].join();
  return [...new Map(records.map((record) => [key(record), record])).values()];
}

const titleOf = (engine) => peerOf(engine).title;

function modelSection(name, records, types) {
  const { title, text } = ACCURACY_MODELS[name];
  const header = ['weights', 'engine'];
  for (const phase of PHASES) header.push(`${phase}: KL`, '99 %', 'top', 'arithmetic alone');
  const commits = new Set(records.filter(({ engine }) => engine === OURS).map(({ version }) => version));
  const rows = types.flatMap((type) => {
    const own = records.filter((record) => record.type === type);
    const engines = [...new Set(own.map(({ engine, precision }) => `${engine} ${precision ?? ''}`))];
    return engines.map((engine) => {
      const [named, precision] = engine.split(' ');
      const label = named === OURS ? precision : titleOf(named);
      // Where several commits of ours stand together, each row names its own.
      const mine = own.filter((record) => record.engine === OURS && record.precision === precision);
      const commit = commits.size > 1 ? mine.map(({ version }) => ` (${version})`) : [];
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
  return [`## ${title}`, '', `${text[0].toUpperCase()}${text.slice(1)}`, '', table(header, rows)];
}

function cells(record) {
  if (!record) return ['-', '-', '-', '-'];
  const { kl, same, ownKl } = record;
  return [
    digits(mean(kl)),
    digits(quantile(kl, 0.99)),
    `${((100 * same) / kl.length).toFixed(1)} %`,
    digits(mean(ownKl)),
  ];
}

/** The default precision against the better of llama.cpp's rows: by paired differences, position by position. */
function verdicts(records, types) {
  const above = [];
  const rows = [];
  for (const name of Object.keys(ACCURACY_MODELS)) {
    for (const type of types) {
      const own = records.filter((record) => record.model === name && record.type === type);
      const ratios = PHASES.flatMap((phase) =>
        Object.keys(MEASURES).map((measure) => {
          const mine = own.find(
            (each) =>
              each.phase === phase && each.engine === OURS && each.precision === defaultPrecision(type),
          );
          const peers = own.filter((each) => each.phase === phase && each.engine !== OURS);
          if (!mine || peers.length === 0) return null;
          const best = peers.reduce((a, b) => (mean(b[measure]) < mean(a[measure]) ? b : a));
          const differences = mine[measure].map((value, index) => value - best[measure][index]);
          const [off, error] = [mean(differences), errorOfMean(differences)];
          const found = { ratio: mean(mine[measure]) / mean(best[measure]), isAbove: off > 2 * error };
          if (found.isAbove) {
            const exact = own.find((each) => each.phase === phase && each.precision === 'exact');
            above.push(aboveLine(name, found.ratio, mine, measure, exact, best));
          }
          return { ...found, isBelow: off < -2 * error };
        }),
      );
      if (ratios.some((ratio) => ratio !== null)) rows.push([type, name, ...ratios.map(verdict)]);
    }
  }
  const header = ['weights', 'model'];
  for (const phase of PHASES) header.push(`${phase}: from F32`, 'arithmetic alone');
  return [
    'Mean KL of the default precision divided by that of llama.cpp, without or with flash attention, whichever is nearer. In brackets:',
    'the difference is smaller than twice its standard error over the positions, so neither is nearer. Bold: above llama.cpp.',
    '',
    table(header, rows),
    above.length === 0
      ? 'No type is above llama.cpp in either phase, by either measure.'
      : `Above llama.cpp:\n\n${above.map((line) => `- ${line}`).join('\n')}`,
  ];
}

/** A file under `exact` has lost nothing but what its weights have lost. */
function aboveLine(name, ratio, { type, phase }, measure, exact, best) {
  const line = `${type}, ${name}, ${phase}, ${MEASURES[measure]}: ${ratio.toFixed(2)} x`;
  if (measure === 'ownKl' || !exact) return line;
  const ofWeights = mean(exact.kl) / mean(best.kl);
  return `${line}; the same file under exact ${ofWeights.toFixed(2)} x${ofWeights > 1 ? ': the loss is that of the weights' : ''}`;
}

function verdict(found) {
  if (!found) return '-';
  const text = `${found.ratio < 0.1 ? found.ratio.toPrecision(1) : found.ratio.toFixed(2)} x`;
  if (found.isAbove) return `**${text}**`;
  return found.isBelow ? text : `(${text})`;
}

function table(header, rows) {
  const rule = header.map((_, column) => (column < 2 ? '---' : '---:'));
  return `${[header, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`;
}

/** Three significant digits. */
const digits = (value) => (value >= 0.001 || value === 0 ? value.toPrecision(3) : value.toExponential(2));
