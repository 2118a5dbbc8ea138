// The two streams of a command. Results go to `out`, everything else to `err`.

import { once } from 'node:events';
import type { Interrupts } from './interrupts.js';

export interface Io {
  out: Printer;
  err: Printer;
  stdin: NodeJS.ReadStream;
  interrupts: Interrupts;
}

export type Style = 'bold' | 'dim';

const STYLES: Record<Style, readonly [string, string]> = { bold: ['1', '22'], dim: ['2', '22'] };

/** Writes text to a stream. What a terminal would obey is escaped, since text comes from models and their files. */
export class Printer {
  readonly stream: NodeJS.WriteStream;
  readonly #colour: boolean;

  constructor(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv) {
    this.stream = stream;
    this.#colour = this.isTerminal && !env.NO_COLOR && env.TERM !== 'dumb';
  }

  get isTerminal(): boolean {
    return this.stream.isTTY === true;
  }

  get colour(): boolean {
    return this.#colour;
  }

  /** Resolves when the stream can take more. */
  async write(text: string, style?: Style): Promise<void> {
    if (text === '') return;
    const shown = this.isTerminal ? escapeControls(text) : text;
    const [on, off] = style && this.#colour ? STYLES[style] : ['', ''];
    const more = this.stream.write(on === '' ? shown : `\x1b[${on}m${shown}\x1b[${off}m`);
    if (!more && !this.stream.destroyed) await once(this.stream, 'drain');
  }

  async line(text = '', style?: Style): Promise<void> {
    await this.write(text, style);
    await this.write('\n');
  }

  /** An object for programs. */
  async json(value: unknown): Promise<void> {
    await this.line(JSON.stringify(value, null, 2));
  }

  /** Columns as wide as their widest cell; numbers are aligned right. */
  async table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): Promise<void> {
    const cells = [head, ...rows].map((row) => row.map(String));
    const widths = head.map((_, column) => Math.max(...cells.map((row) => displayWidth(row[column] ?? ''))));
    for (const [index, row] of cells.entries()) {
      const padded = row.map((cell, column) => {
        const space = ' '.repeat((widths[column] ?? 0) - displayWidth(cell));
        return typeof rows[0]?.[column] === 'number' ? space + cell : cell + space;
      });
      await this.line(padded.join('  ').trimEnd(), index === 0 ? 'bold' : undefined);
    }
  }
}

/** C0 but line feed and tab, DEL and C1, written as `\x1b`. */
export function escapeControls(text: string): string {
  return text.replace(/\p{Cc}/gu, (char) => {
    if (char === '\n' || char === '\t') return char;
    return `\\x${(char.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`;
  });
}

/** Columns of a terminal: two for what East Asian typography writes wide. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const char of text) {
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/.test(
        char,
      )
        ? 2
        : 1;
  }
  return width;
}
