// A GGUF file to the same model in another type.

import { TENSOR_TYPES } from './convert.js';
import { resolveModelPath } from './hub-cache.js';
import { checkJobOptions, JOB_OPTIONS, type JobOptions, runJob } from './jobs.js';
import { native } from './native.js';
import type { JobResult, TensorType } from './types.js';
import { assertKnownOptions, assertOneOf, assertString } from './validate.js';

export interface QuantizeOptions extends JobOptions {
  /** Of the matrices. */
  type: TensorType;
}

/**
 * Writes `output`, which appears only when all of it is written.
 * @throws FormatError, ArgumentError; `ERR_NEOX_IO`
 */
export async function quantize(file: string, output: string, options: QuantizeOptions): Promise<JobResult> {
  assertString('file', file);
  assertString('output', output);
  assertKnownOptions('quantize', options, ['type', ...JOB_OPTIONS]);
  checkJobOptions(options);
  assertOneOf('type', options.type, TENSOR_TYPES);
  return runJob(
    (report) => native().quantize({ source: resolveModelPath(file), output, type: options.type }, report),
    options,
  );
}
