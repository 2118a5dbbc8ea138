// What a person or a pipe says in a chat, line by line.

import { createInterface, type Interface } from 'node:readline';
import { EXIT } from './exit-codes.js';
import type { Io } from './io.js';

export interface ChatLine {
  /** What follows a slash; undefined for a turn. */
  command?: string;
  text: string;
  /** Ctrl-C at an empty prompt: leave with this code. */
  exitCode?: number;
}

/** Lines of standard input that is no terminal. */
export async function* readPipe(io: Io): AsyncGenerator<ChatLine> {
  for await (const line of createInterface({ input: io.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() !== '') yield parseLine(line);
  }
}

/** Lines typed at a prompt, with history. */
export async function* readTerminal(io: Io): AsyncGenerator<ChatLine> {
  let history: string[] = [];
  for (;;) {
    // One interface per line: while an answer is written there is none, so that Ctrl-C is a signal again.
    const asked = createInterface({
      input: io.stdin,
      output: io.out.isTerminal ? io.out.stream : io.err.stream,
      terminal: true,
      prompt: '> ',
      history,
    });
    asked.on('history', (lines: string[]) => {
      history = [...lines];
    });
    const line = await ask(asked);
    if (typeof line === 'number') return yield { text: '', exitCode: line };
    if (line === undefined) return;
    if (line.trim() !== '') yield parseLine(line);
  }
}

// A line, undefined at the end of input, or an exit code.
function ask(asked: Interface): Promise<string | number | undefined> {
  return new Promise((resolve) => {
    const finish = (result: string | number | undefined): void => {
      resolve(result);
      asked.close();
    };
    asked.on('line', finish);
    asked.on('close', () => finish(undefined));
    asked.on('SIGINT', () => {
      // As in a shell: what was typed is dropped; with nothing typed, Ctrl-C leaves.
      if (asked.line === '') return finish(EXIT.interrupted);
      asked.write(null, { ctrl: true, name: 'e' });
      asked.write(null, { ctrl: true, name: 'u' });
    });
    asked.prompt();
  });
}

/** `/system text` is a command, `//text` is a turn that begins with a slash. */
export function parseLine(line: string): ChatLine {
  if (!line.startsWith('/')) return { text: line };
  if (line.startsWith('//')) return { text: line.slice(1) };
  const [, command = '', text = ''] = /^\/(\S*)\s*(.*)$/s.exec(line) ?? [];
  return { command, text: text.trimEnd() };
}
