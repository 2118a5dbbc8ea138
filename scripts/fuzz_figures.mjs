// The cumulative figures of libFuzzer: test/fuzz/figures.json, and the table of docs/reliability.md made from it.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fuzzTargets } from './fuzz_targets.mjs';
import { root, StepError } from './steps.mjs';

const figuresPath = join(root, 'test', 'fuzz', 'figures.json');
const pagePath = join(root, 'docs', 'reliability.md');
const begin = '<!-- fuzz figures: written by scripts/fuzz.mjs -->\n';
const end = '<!-- end of the fuzz figures -->';

/** Adds runs, `{ parser, status, inputs, cpuSeconds, coverage, peakBytes, slowestMs }`, and writes the table anew. */
export function record(runs) {
  const figures = readFigures();
  for (const run of runs) {
    const sum = figures[run.parser] ?? { runs: 0, cpuSeconds: 0, inputs: 0, failedRuns: 0 };
    figures[run.parser] = {
      runs: sum.runs + 1,
      failedRuns: sum.failedRuns + (run.status === 0 ? 0 : 1),
      cpuSeconds: Math.round(sum.cpuSeconds + run.cpuSeconds),
      inputs: sum.inputs + run.inputs,
      coverage: Math.max(sum.coverage ?? 0, run.coverage),
      peakBytes: Math.max(sum.peakBytes ?? 0, run.peakBytes),
      slowestMs: Math.max(sum.slowestMs ?? 0, run.slowestMs),
    };
  }
  const sorted = Object.fromEntries(Object.entries(figures).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(figuresPath, `${JSON.stringify(sorted, null, 2)}\n`);
  writeTable();
}

/** Writes the table of docs/reliability.md from the figures. */
export function writeTable() {
  const page = readFileSync(pagePath, 'utf8');
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new StepError('docs/reliability.md has no place for the fuzz figures.');
  writeFileSync(pagePath, page.slice(0, from + begin.length) + table() + page.slice(to));
}

/** The table as it must stand in docs/reliability.md. */
export function table() {
  const figures = readFigures();
  const rows = fuzzTargets.map(({ parser, reads }) => {
    const sum = figures[parser];
    if (!sum) return [`\`${parser}\``, reads, ...Array(6).fill('-')];
    const megabytes = (sum.peakBytes / 2 ** 20).toFixed(1);
    const minutes = (sum.cpuSeconds / 60).toFixed(1);
    const inputs = sum.inputs.toLocaleString('en-US');
    return [`\`${parser}\``, reads, minutes, inputs, sum.coverage, megabytes, sum.slowestMs, sum.failedRuns];
  });
  const head = [
    'target',
    'reads',
    'CPU minutes',
    'inputs',
    'edges',
    'most MiB',
    'slowest ms',
    'runs that failed',
  ];
  const lines = [head, ['---', '---', ...Array(6).fill('---:')], ...rows];
  return `${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`;
}

function readFigures() {
  return existsSync(figuresPath) ? JSON.parse(readFileSync(figuresPath, 'utf8')) : {};
}
