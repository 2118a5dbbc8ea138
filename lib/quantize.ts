// A GGUF file to the same model in another type.

import { checkTypeOptions, TYPE_OPTIONS, type TypeOptions } from './file-types.js';
import { resolveModelPath } from './hub-cache.js';
import type { JobResult } from './job-types.js';
import { checkJobOptions, JOB_OPTIONS, type JobOptions, runJob } from './jobs.js';
import { native } from './native.js';
import { assertNotInput } from './output-path.js';
import { checkRoundingOptions, ROUNDING_OPTIONS } from './rounding-options.js';
import type { FileTypeName, RoundingOptions } from './types.js';
import { assertBoolean, assertKnownOptions, assertString, unexpected } from './validate.js';

/** Of `quantize`. */
export interface QuantizeOptions extends JobOptions, TypeOptions, RoundingOptions {
  /** What the matrices become. */
  type: FileTypeName;
  /**
   * Accepts a file that is quantized already, although the errors of both types add up: quantizing the original is better.
   * @defaultValue `false`
   */
  allowRequantize?: boolean;
  /** Only tells what would be written. @defaultValue `false` */
  dryRun?: boolean;
}

/**
 * Writes `output`, which appears only when all of it is written, in place of a file that was there, but never of `file`.
 * @throws FormatError, ArgumentError; `ERR_NEOX_IO`
 */
export async function quantize(file: string, output: string, options: QuantizeOptions): Promise<JobResult> {
  assertString('file', file);
  assertString('output', output);
  assertKnownOptions('quantize', options, [
    'allowRequantize',
    'dryRun',
    ...TYPE_OPTIONS,
    ...ROUNDING_OPTIONS,
    ...JOB_OPTIONS,
  ]);
  checkJobOptions(options);
  if (options.type === undefined) throw unexpected('a type', 'type', options.type);
  const { allowRequantize = false, dryRun = false } = options;
  assertBoolean('allowRequantize', allowRequantize);
  assertBoolean('dryRun', dryRun);
  const types = { ...checkTypeOptions(options), ...checkRoundingOptions(options) };
  const source = resolveModelPath(file);
  if (!dryRun) assertNotInput(source, output);
  const job = { source, output, allowRequantize, dryRun, ...types };
  return runJob((report) => native().quantize(job, report), options);
}
