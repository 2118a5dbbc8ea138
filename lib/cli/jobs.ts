// What the commands that write a model file share.

import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { JobResult, Progress } from '../index.js';
import type { OptionSpec } from './command.js';
import { CliError, EXIT } from './exit-codes.js';
import type { Io } from './io.js';
import { type ProgressUnit, withProgress } from './progress.js';
import { bytes, milliseconds } from './values.js';

export const outputFlags: readonly OptionSpec[] = [
  { flags: '-o, --output <file>', help: 'the file to write', required: true },
  { flags: '--force', help: 'overwrite the file' },
];

export interface OutputFlags {
  output: string;
  force?: boolean;
}

export interface JobControl {
  onProgress: (progress: Progress) => void;
  signal: AbortSignal;
}

/**
 * Runs a job that writes `options.output`. The job writes under another name and renames at the end, so that neither an
 * error nor an interrupt leaves half a file.
 * @param label - what goes on: `converting`
 * @param unit - of the progress
 */
export async function writeOutput<T>(
  label: string,
  options: OutputFlags,
  io: Io,
  unit: ProgressUnit,
  job: (control: JobControl) => Promise<T>,
): Promise<T> {
  const { output, force = false } = options;
  if (existsSync(output) && !force) {
    throw new CliError(EXIT.file, `'${output}' exists already; --force overwrites it.`);
  }
  const begin = performance.now();
  const result = await io.interrupts.during((signal) =>
    withProgress(io, label, (onProgress) => job({ onProgress, signal }), unit),
  );
  const { size } = await stat(output);
  await io.err.line(`neox: wrote ${output}, ${bytes(size)} in ${milliseconds(performance.now() - begin)}`);
  return result;
}

/** {@link writeOutput} of a model file. */
export async function writeModel(
  label: string,
  options: OutputFlags,
  io: Io,
  job: (control: JobControl) => Promise<JobResult>,
): Promise<void> {
  await reportTypes(await writeOutput(label, options, io, 'MiB', job), io);
}

/** Tells which tensors got another type than asked for, were quantized twice, or without importance. */
export async function reportTypes({ fallbacks, requantized, unweighted }: JobResult, io: Io): Promise<void> {
  if (fallbacks.length > 0) {
    const names = shortened(fallbacks);
    await io.err.line(
      `neox: ${fallbacks.length} tensors have another type, as their rows are no multiple of its block: ${names}`,
    );
  }
  if (requantized.length > 0) {
    const names = shortened(requantized);
    await io.err.line(
      `neox: ${requantized.length} tensors were quantized before, so the errors add up: ${names}`,
    );
  }
  if (unweighted.length > 0) {
    const names = shortened(unweighted);
    await io.err.line(
      `neox: ${unweighted.length} tensors are not in the importance matrix and were quantized without: ${names}`,
    );
  }
}

function shortened(names: readonly string[]): string {
  return names.slice(0, 3).join(', ') + (names.length > 3 ? ', ...' : '');
}
