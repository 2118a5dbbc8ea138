// The plots of the report, as inline SVG: each with a title, a description and the table of what it shows.

import { type Html, html } from './html.js';

const WIDTH = 720;
const MOST_TICKS = 8;

export interface Figure {
  /** Unique in the page. */
  id: string;
  title: string;
  /** What a reader who does not see the plot should know of it. */
  description: string;
  head: readonly string[];
  rows: readonly (readonly (string | number)[])[];
}

function figure(about: Figure, height: number, content: Html, key?: Html): Html {
  const { id, title, description, head, rows } = about;
  return html`<figure><figcaption>${title}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="${id}-t ${id}-d"><title id="${id}-t">${title}</title>
<desc id="${id}-d">${description}</desc>${content}</svg>${key}
<details><summary>The figures</summary>${table(head, rows)}</details></figure>
`;
}

/** Cells that are numbers stand right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): Html {
  const [first] = rows;
  const kind = (column: number): string =>
    typeof first?.[column] === 'number' ? 'n' : column === 0 ? 'name' : '';
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${head.join(', ')}"><table><thead><tr>${head.map(
    (cell, column) => html`<th scope="col" class="${kind(column)}">${cell}</th>`,
  )}</tr></thead><tbody>${rows.map(
    (row) =>
      html`<tr>${row.map((cell, column) => html`<td class="${kind(column)}"><bdi>${shown(cell)}</bdi></td>`)}</tr>`,
  )}</tbody></table></div>`;
}

/** Four significant digits, and none after the point of large numbers. */
export function shown(value: string | number): string {
  if (typeof value === 'string') return value;
  if (!Number.isFinite(value)) return '-';
  return Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)));
}

function colour(index: number): string {
  return `var(--c${index % 12})`;
}

export interface Bar {
  label: string;
  value: number;
  /** What stands behind the bar. */
  text: string;
  /** Single runs, as dots on the bar. */
  samples?: readonly number[];
  isDoubtful?: boolean;
}

/** Bars with the label above each; `limit` is a line across all of them. */
export function bars(about: Figure, list: readonly Bar[], limit?: { value: number; label: string }): Html {
  const most = Math.max(
    1e-9,
    limit?.value ?? 0,
    ...list.flatMap(({ value, samples = [] }) => [value, ...samples]),
  );
  const room = WIDTH - 130;
  const x = (value: number): number => Number(((room * value) / most).toFixed(1));
  const top = limit ? 22 : 0;
  const content = list.map(({ label, value, text, samples = [], isDoubtful }, index) => {
    const y = top + 44 * index;
    return html`<text x="0" y="${y + 14}">${cut(label, 96)}</text>
<rect x="0" y="${y + 20}" width="${Math.max(1, x(value))}" height="16" rx="2" fill="${colour(0)}"${isDoubtful ? html` fill-opacity="0.45"` : undefined}/>
${samples.map((sample) => html`<circle cx="${x(sample)}" cy="${y + 28}" r="3" fill="var(--ground)" stroke="var(--ink)"/>`)}
<text x="${Math.max(x(value), ...samples.map(x)) + 8}" y="${y + 33}">${text}${isDoubtful ? ' ?' : ''}</text>`;
  });
  const height = top + 44 * list.length;
  const line = limit
    ? html`<line x1="${x(limit.value)}" y1="18" x2="${x(limit.value)}" y2="${height}" stroke="var(--c1)" stroke-width="2"/>
<text x="${x(limit.value)}" y="12" text-anchor="${x(limit.value) > WIDTH / 2 ? 'end' : 'start'}">${limit.label}</text>`
    : undefined;
  return figure(about, height, html`${content}${line}`);
}

export interface Series {
  name: string;
  points: readonly (readonly [x: number, y: number])[];
}

/** One line a series, both axes from zero. */
export function lines(about: Figure, series: readonly Series[], xName: string, yName: string): Html {
  const [left, right, top, bottom] = [58, 16, 26, 46];
  const height = 320;
  const all = series.flatMap(({ points }) => points);
  const given = [...new Set(all.map(([x]) => x))].sort((a, b) => a - b);
  const xTicks = given.length > MOST_TICKS ? ticks(Math.max(...given)) : given;
  const yTicks = ticks(Math.max(...all.map(([, y]) => y)));
  const x = (value: number): string =>
    (left + ((WIDTH - left - right) * value) / (xTicks.at(-1) as number)).toFixed(1);
  const y = (value: number): string =>
    (height - bottom - ((height - top - bottom) * value) / (yTicks.at(-1) as number)).toFixed(1);
  const grid = yTicks.map(
    (
      tick,
    ) => html`<line x1="${left}" y1="${y(tick)}" x2="${WIDTH - right}" y2="${y(tick)}" stroke="var(--line)"/>
<text class="soft" x="${left - 8}" y="${Number(y(tick)) + 4}" text-anchor="end">${shown(tick)}</text>`,
  );
  const below = xTicks.map(
    (tick) =>
      html`<text class="soft" x="${x(tick)}" y="${height - bottom + 18}" text-anchor="middle">${shown(tick)}</text>`,
  );
  const drawn = series.map(({ points }, index) => {
    const path = points.map(([px, py], at) => `${at === 0 ? 'M' : 'L'}${x(px)} ${y(py)}`).join(' ');
    return html`<path d="${path}" fill="none" stroke="${colour(index)}" stroke-width="2.5"${index % 2 ? html` stroke-dasharray="7 4"` : undefined}/>
${points.map(([px, py]) => html`<circle cx="${x(px)}" cy="${y(py)}" r="4" fill="${colour(index)}"/>`)}`;
  });
  const names = html`<text class="soft" x="0" y="14">${yName}</text>
<text class="soft" x="${WIDTH - right}" y="${height - 6}" text-anchor="end">${xName}</text>`;
  return figure(about, height, html`${grid}${below}${drawn}${names}`, key(series.map(({ name }) => name)));
}

export interface Stack {
  label: string;
  /** Shares by the index of their name. */
  shares: readonly number[];
}

/** Bars of which each is whole, cut into its parts. */
export function stacks(about: Figure, names: readonly string[], list: readonly Stack[]): Html {
  const content = list.map(({ label, shares }, row) => {
    const y = 48 * row;
    let from = 0;
    const parts = shares.map((share, index) => {
      const x = WIDTH * from;
      from += share;
      return html`<rect x="${x.toFixed(1)}" y="${y + 20}" width="${(WIDTH * share).toFixed(1)}" height="22" fill="${colour(index)}" stroke="var(--panel)"/>`;
    });
    return html`<text x="0" y="${y + 14}">${cut(label, 96)}</text>${parts}`;
  });
  return figure(about, 48 * list.length, html`${content}`, key(names));
}

function key(names: readonly string[]): Html {
  return html`<ul class="key">${names.map(
    (name, index) =>
      html`<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect width="10" height="10" fill="${colour(index)}"/></svg><bdi>${name}</bdi></li>`,
  )}</ul>`;
}

// 0 to at least `most` in steps of 1, 2 or 5 times a power of ten.
function ticks(most: number): number[] {
  const rough = Math.max(most, 1e-9) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, index) => index * step);
}

function cut(text: string, most: number): string {
  const chars = [...text];
  return chars.length > most ? `${chars.slice(0, most - 1).join('')}…` : text;
}
