// The page that `--report` writes: one HTML file that loads nothing, with plots, and the table behind each.

import type { BenchRecord } from '../record.js';
import { Html, html } from './html.js';
import { profiles } from './profile-plots.js';
import { allResults, ceilings, doubts, machine, modelName, type Records, reader, speed } from './sections.js';
import { STYLE } from './style.js';
import { sweeps } from './sweep-plots.js';

/** @param records - at least one */
export function reportPage(records: Records): string {
  const [first] = records as [BenchRecord];
  const models = [...new Set(records.map(modelName))];
  const title = `neox bench: ${models.length === 1 ? modelName(first) : `${models.length} models`}`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<h1><bdi>${title}</bdi></h1>
${machine(records)}
${doubts(records)}
<h2>Speed</h2>
${speed(records, 'Prompts', ({ test_kind }) => test_kind === 'pp', 'p')}
${speed(records, 'Generation', ({ test_kind }) => test_kind === 'tg', 'g')}
${speed(records, 'Prompts with what follows them', ({ n_prompt, n_gen }) => n_prompt > 0 && n_gen > 0, 'b')}
${sweeps(records)}
${ceilings(records)}
${profiles(records)}
${reader(records)}
<h2>All results</h2>
${allResults(records)}
</main>
</body>
</html>
`.text;
}
