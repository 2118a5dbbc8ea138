// Plots over what was swept: a line for each test, where everything but one parameter is the same.

import type { BenchRecord } from '../record.js';
import { recordName } from '../record.js';
import { type TestKind, testName } from '../tests.js';
import { type Html, html } from './html.js';
import { lines, type Series } from './plots.js';
import { labelOf, type Records } from './sections.js';

type Parameter = 'n_prompt' | 'n_depth' | 'n_sequences' | 'n_threads';

// A prompt and a generation differ too much in speed for one axis.
const PLOTS: readonly (readonly [kind: TestKind, name: Parameter, title: string, axis: string])[] = [
  ['pp', 'n_prompt', 'Prompts by length', 'tokens of the prompt'],
  ['pp', 'n_depth', 'Prompts by depth', 'tokens in the cache before'],
  ['pp', 'n_threads', 'Prompts by threads', 'threads'],
  ['tg', 'n_depth', 'Generation by depth', 'tokens in the cache before'],
  ['tg', 'n_sequences', 'Generation by sequences that generate at once', 'sequences'],
  ['tg', 'n_threads', 'Generation by threads', 'threads'],
];

export function sweeps(records: Records): Html | undefined {
  const plots = PLOTS.flatMap(([kind, name, title, axis]) => {
    const series = seriesOf(records, kind, name);
    if (series.length === 0) return [];
    const about = {
      id: `${kind}-${name}`,
      title: `${title}: tokens per second`,
      description: series
        .map(
          (each) => `${each.name}: ${each.points.map(([x, y]) => `${y.toPrecision(3)} at ${x}`).join(', ')}.`,
        )
        .join(' '),
      head: ['test', axis, 'tokens per second'],
      rows: series.flatMap((each) => each.points.map(([x, y]) => [each.name, x, y])),
    };
    return [lines(about, series, axis, 'tokens per second')];
  });
  return plots.length === 0 ? undefined : html`<h2>Over what was varied</h2>${plots}`;
}

function seriesOf(records: Records, kind: TestKind, parameter: Parameter): Series[] {
  const groups = new Map<string, BenchRecord[]>();
  for (const record of records) {
    if (record.test_kind !== kind) continue;
    const { model_filename, model_type, precision, type_k } = record;
    const { n_prompt, n_gen, n_depth, n_sequences, n_threads } = record;
    const numbers = { n_prompt, n_gen, n_depth, n_sequences, n_threads, [parameter]: 0 };
    const id = JSON.stringify([model_filename, model_type, precision, type_k, numbers]);
    groups.set(id, [...(groups.get(id) ?? []), record]);
  }
  return [...groups.values()]
    .filter((group) => new Set(group.map((record) => record[parameter])).size > 1)
    .map((group) => ({
      name: nameWithout(group[0] as BenchRecord, parameter, records),
      points: group.map((record) => [record[parameter], record.median_ts] as const).sort(([a], [b]) => a - b),
    }));
}

// `tg32` for the line over depths, `pp` for that over lengths.
function nameWithout(record: BenchRecord, parameter: Parameter, among: Records): string {
  const { n_prompt: nPrompt, n_gen: nGen, test_kind: kind } = record;
  const depth = parameter === 'n_depth' ? 0 : record.n_depth;
  const sequences = parameter === 'n_sequences' ? 1 : record.n_sequences;
  const test =
    parameter === 'n_prompt'
      ? `pp${depth > 0 ? ` @ d${depth}` : ''}`
      : testName({ nPrompt, nGen, depth, sequences }, kind as TestKind);
  const others = parameter === 'n_threads' ? among.map((each) => ({ ...each, n_threads: 0 })) : among;
  return labelOf(record, others, test || recordName(record));
}
