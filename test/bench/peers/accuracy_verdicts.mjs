// What docs/accuracy.md says first: whether the default precisions are nearer to the float32 network than llama.cpp.

import { ACCURACY_MODELS } from './accuracy_models.mjs';
import { isQuantized, meanOf } from './dist.mjs';
import { errorOfMean } from './divergence.mjs';
import { PHASES } from './logits.mjs';
import { table } from './page_text.mjs';
import { OURS } from './peers.mjs';

const MEASURES = { kl: 'from the F32 file', ownKl: 'of the arithmetic alone' };

export const defaultPrecision = (type) => (type === 'F32' ? 'exact' : isQuantized(type) ? 'fast' : 'high');

/** Three significant digits. */
export const precise = (value) =>
  value >= 0.001 || value === 0 ? value.toPrecision(3) : value.toExponential(2);

/** The default precision against the better of llama.cpp's rows: by paired differences, position by position. */
export function verdicts(records, types, hasBuilds) {
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
          const best = peers.reduce((a, b) => (meanOf(b[measure]) < meanOf(a[measure]) ? b : a));
          const differences = mine[measure].map((value, index) => value - best[measure][index]);
          const [off, error] = [meanOf(differences), errorOfMean(differences)];
          const found = { ratio: meanOf(mine[measure]) / meanOf(best[measure]), isAbove: off > 2 * error };
          if (found.isAbove) {
            const exact = own.find((each) => each.phase === phase && each.precision === 'exact');
            above.push(aboveLine(name, found.ratio, mine, measure, exact, best));
          }
          return { ...found, isBelow: off < -2 * error };
        }),
      );
      if (ratios.every((ratio) => ratio === null)) continue;
      const precision = defaultPrecision(type);
      const mine = own.filter((each) => each.engine === OURS && each.precision === precision);
      const builds = hasBuilds ? [[...new Set(mine.map(({ version }) => version))].join(' and ')] : [];
      rows.push([type, name, ...builds, ...ratios.map(verdict)]);
    }
  }
  if (rows.length === 0) return ['No other engine was compared.'];
  const header = ['weights', 'model', ...(hasBuilds ? ['build'] : [])];
  for (const phase of PHASES) header.push(`${phase}: from F32`, 'arithmetic alone');
  return [
    'Mean KL of the default precision divided by that of llama.cpp, without or with flash attention, whichever is nearer. In brackets:',
    'the difference is smaller than twice its standard error over the positions, so neither is nearer. Bold: above llama.cpp.',
    '',
    table(header, rows, hasBuilds ? 3 : 2),
    above.length === 0
      ? 'No type is above llama.cpp in either phase, by either measure.'
      : `Above llama.cpp:\n\n${above.map((line) => `- ${line}`).join('\n')}`,
  ];
}

/** A file under `exact` has lost nothing but what its weights have lost. */
function aboveLine(name, ratio, { type, phase }, measure, exact, best) {
  const line = `${type}, ${name}, ${phase}, ${MEASURES[measure]}: ${ratio.toFixed(2)} x`;
  if (measure === 'ownKl' || !exact) return line;
  const ofWeights = meanOf(exact.kl) / meanOf(best.kl);
  return `${line}; the same file under exact ${ofWeights.toFixed(2)} x${ofWeights > 1 ? ': the loss is that of the weights' : ''}`;
}

function verdict(found) {
  if (!found) return '-';
  const text = `${found.ratio < 0.1 ? found.ratio.toPrecision(1) : found.ratio.toFixed(2)} x`;
  if (found.isAbove) return `**${text}**`;
  return found.isBelow ? text : `(${text})`;
}
