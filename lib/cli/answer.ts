// Streams a generation to stdout and tells how fast it was.

import type { Generation, Result, SequenceResult } from '../index.js';
import type { Io } from './io.js';
import { milliseconds, rate } from './values.js';

export interface Answer extends Result {
  /** When the first token came, by `performance.now()`; undefined where none did. */
  firstAt: number | undefined;
}

/**
 * Reads a generation to its end, writing text as it comes unless `quiet`, and ends the last line.
 * @param signal - when it aborts, the answer is what came before, with `finishReason: 'cancelled'`
 */
export async function readAnswer(
  generation: Generation,
  io: Io,
  signal: AbortSignal,
  quiet = false,
): Promise<Answer> {
  const chunks = generation[Symbol.asyncIterator]();
  const leave = (): void => void chunks.return?.();
  signal.addEventListener('abort', leave, { once: true });
  if (signal.aborted) leave();
  let firstAt: number | undefined;
  let last = '';
  try {
    for await (const { text } of chunks) {
      firstAt ??= performance.now();
      if (quiet || text === '') continue;
      last = text;
      await io.out.write(text);
    }
    const result = await generation.result();
    if (!quiet && last === '') await io.out.write('\n');
    return { ...result, firstAt };
  } finally {
    signal.removeEventListener('abort', leave);
    if (last !== '' && !last.endsWith('\n')) await io.out.write('\n');
  }
}

/** Several answers, each below a line with its number. */
export async function writeSequences(sequences: readonly SequenceResult[], io: Io): Promise<void> {
  for (const [index, { text, score }] of sequences.entries()) {
    const scored = score === undefined ? '' : `, score ${score.toFixed(4)}`;
    await io.out.write(
      `--- ${index + 1}/${sequences.length}${scored} ---\n${text}${text.endsWith('\n') ? '' : '\n'}`,
    );
  }
}

/** `42 tokens, 68.9 tokens/s; prompt 12 tokens, 910 tokens/s; first token after 98 ms; ended by eos`. */
export function statistics({ usage, timings, finishReason, firstAt }: Answer, startedAt: number): string {
  const parts = [
    `${usage.completionTokens} tokens, ${rate(timings.tokensPerSecond)} tokens/s`,
    `prompt ${usage.promptTokens} tokens, ${rate(timings.promptTokensPerSecond)} tokens/s`,
  ];
  if (firstAt !== undefined) parts.push(`first token after ${milliseconds(firstAt - startedAt)}`);
  return `${parts.join('; ')}; ended by ${finishReason}`;
}
