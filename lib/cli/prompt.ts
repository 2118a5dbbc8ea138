// Where a prompt or other input comes from: arguments, a file, standard input.

import { readFile } from 'node:fs/promises';
import { CliError, EXIT, UsageError } from './exit-codes.js';
import type { Io } from './io.js';

/**
 * The arguments joined by spaces; `-`, or no argument beside a pipe, is standard input. A last line break is cut off.
 * @param what - what is missing when there is nothing: `prompt`
 */
export async function readInput(
  args: readonly string[],
  io: Io,
  what: string,
  file?: string,
): Promise<string> {
  if (file !== undefined && args.length > 0) throw new UsageError(`Give the ${what} or --file, not both.`);
  if (file !== undefined && file !== '-') return decode(await readBytes(file), file);
  const piped = args.length === 1 && args[0] === '-';
  if (args.length > 0 && !piped) return args.join(' ');
  if (!piped && file === undefined && io.stdin.isTTY) throw new UsageError(`No ${what} was given.`);
  const text = decode(await readAll(io.stdin), 'standard input');
  if (text === '') throw new UsageError(`No ${what} was given, and standard input is empty.`);
  return text;
}

async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new CliError(EXIT.file, `Cannot read '${path}': ${(error as Error).message}`, { cause: error });
  }
}

async function readAll(stream: AsyncIterable<Buffer | string>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

function decode(bytes: Buffer, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r?\n$/, '');
  } catch (error) {
    throw new CliError(EXIT.file, `The text of ${name} is not UTF-8.`, { cause: error });
  }
}
