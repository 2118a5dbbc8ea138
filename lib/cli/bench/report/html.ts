// HTML with every string escaped: what a template takes in is text unless it is HTML that another template made.

import { escapeControls } from '../../io.js';

export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = Html | string | number | undefined | readonly Part[];

/** `html`<td>${name}</td>``. Safe in text and in attributes within double quotes; not in scripts, styles or addresses. */
export function html(strings: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(
    strings.map((text, index) => text + (index < parts.length ? render(parts[index]) : '')).join(''),
  );
}

function render(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Html) return part.text;
  if (typeof part === 'object') return part.map(render).join('');
  return escapeMarkup(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

// What turns the direction of the text around it.
const DIRECTIONS = /[\u202a-\u202e\u2066-\u2069]/g;

function escapeMarkup(text: string): string {
  return escapeControls(text)
    .replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char)
    .replace(DIRECTIONS, (char) => `\\u${char.charCodeAt(0).toString(16)}`);
}
