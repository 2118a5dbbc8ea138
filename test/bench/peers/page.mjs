// docs/performance.md, written from the results.

import { LARGEST_DEVIATION } from './agreement.mjs';
import { conditions, notRun } from './page_conditions.mjs';
import { groupsOf } from './page_groups.mjs';
import { howToRead, overview, speedSections } from './page_speed.mjs';
import { share, table, timeSpan } from './page_text.mjs';
import { OURS } from './peers.mjs';
import { newestSeries, settingsOf } from './results.mjs';

/**
 * @param all - records with the settings of `options`; those of older builds are left out
 * @param absent - `{ peer, why }` of those that are not installed
 */
export function renderPage(all, options, absent) {
  const records = newestSeries(all);
  const groups = groupsOf(records, options.peers);
  return `${[
    ...head(records, groups, options),
    '## At a glance',
    '',
    ...overview(groups, options),
    '## Speed',
    '',
    ...howToRead(),
    ...speedSections(groups, options),
    '## Do they compute the same?',
    '',
    ...agreement(groups),
    '## What else the machine did',
    '',
    ...conditions(groups),
    ...notRun(groups, records, options.peers, absent),
  ]
    .join('\n')
    .trimEnd()}\n`;
}

function head(records, groups, options) {
  const distinct = (values) => [...new Set(values)];
  const machines = distinct(records.map(({ machine }) => machineText(machine)));
  const layers = options.layers === null ? '' : `, its first ${options.layers} layers`;
  const runs = groups.flatMap(({ rows }) => rows.flatMap((row) => row.runs));
  const versions = options.peers
    .map(({ name, title }) => [
      title,
      distinct(runs.filter(({ peer }) => peer === name).map(({ version }) => version)),
    ])
    .filter(([, own]) => own.length > 0);
  const builds = distinct(runs.map(({ commit }) => commit));
  return [
    '# Performance',
    '',
    'Written by `npm run bench:peers` (test/bench/peers) from its results; not edited by hand. What was tried on the way, failures',
    'too, is in [performance-journal.md](performance-journal.md); how far the formats and precisions are from the float32 network in',
    '[accuracy.md](accuracy.md).',
    '',
    '```sh',
    `npm run bench:peers -- ${flagsOf(groups, options)}`,
    '```',
    '',
    ...machines.map((machine) => `- ${machine}`),
    `- ${options.threads} threads; the shape ${options.shape}${layers}, random weights (\`neox synth\`)`,
    `- ${timeSpan(runs.map(({ at }) => at).sort())} UTC; gpt-neox built from ${builds.join(' and ')}${builds.length > 1 ? ' (**several builds**: which, says the last table)' : ''}`,
    `- ${versions.map(([title, own]) => `${title}: ${own.join(' and ')}`).join('; ')}`,
    '- each run in a process of its own; in each round every engine runs once, beginning with another one each time. The same file for',
    '  all that read GGUF; keys and values in f16 unless an engine knows only its own type',
    '',
  ];
}

const machineText = ({ cpu, processors, memoryBytes, system }) =>
  `${cpu}, ${processors} processors, ${(memoryBytes / 2 ** 30).toFixed(0)} GiB of memory; ${system}`;

/** That measure what stands here: its settings, types, and the rounds that every engine of it came through. */
function flagsOf(groups, options) {
  const measured = groups.filter(({ rows }) => rows.length > 0);
  const types = measured.map(({ type }) => type).join();
  const rounds = Math.min(...measured.flatMap(({ rows }) => rows.map(({ runs }) => runs.length)));
  return Object.entries({ ...settingsOf(options), types, rounds })
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `--${name} ${value}`)
    .join(' ');
}

function agreement(groups) {
  const rows = groups.flatMap(({ type, rows: engines }) =>
    engines
      .filter(({ peer }) => peer.name !== OURS)
      .map(({ peer, agreement: { off, same, count, text } }) => [
        type,
        peer.title,
        text,
        off === null ? '-' : `${(100 * off).toFixed(1)} %`,
        same === null ? '-' : `${same} of ${count}`,
      ]),
  );
  return [
    'Logits after the same 32 tokens, at 256 ids: root mean square of the difference to gpt-neox on the same weights, relative to their',
    `spread; above ${share(LARGEST_DEVIATION)} an engine computes another network, whose logits would deviate by 141 %. Then how many of the first greedy`,
    'tokens are the same: the weights are random, so that small differences soon turn a choice, and an engine that tells ids alone is not',
    'judged by them. Of all runs the worst. llama.cpp computes GELU by its tanh approximation, the others as trained.',
    '',
    table(['weights', 'engine', '', 'deviation of logits', 'same greedy ids'], rows, 3),
  ];
}
