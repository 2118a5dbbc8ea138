// Models of real shapes with random weights, so that speed can be tried without a download.

import { demoModelPath } from './demo.js';
import { toFileType } from './file-types.js';
import { resolveModelPath } from './hub-cache.js';
import type { JobResult } from './job-types.js';
import { checkJobOptions, JOB_OPTIONS, type JobOptions, runJob } from './jobs.js';
import { native } from './native.js';
import type { FileTypeName } from './types.js';
import { assertBoolean, assertInteger, assertKnownOptions, assertOneOf, assertString } from './validate.js';

/** Names of the shapes; a test compares them with the addon's. */
export const SYNTH_SHAPES = ['3.6b', '4b', 'small', 'pythia-410m', 'tiny'] as const;
export type SynthShape = (typeof SYNTH_SHAPES)[number];

export interface SynthOptions extends JobOptions {
  shape: SynthShape;
  /** Of the matrices. @defaultValue `'Q4_0'` */
  type?: FileTypeName;
  /**
   * A GGUF file or directory whose tokenizer is taken, filled up with unused pieces; `true` takes the demo model's, `false`
   * none.
   * @defaultValue `true`
   */
  tokenizer?: boolean | string;
  /** Of the weights. @defaultValue `0` */
  seed?: number;
  /** Only tells what would be written. @defaultValue `false` */
  dryRun?: boolean;
}

/**
 * Writes `output`, which appears only when all of it is written.
 * @throws ArgumentError; `ERR_NEOX_IO`
 */
export async function synth(output: string, options: SynthOptions): Promise<JobResult> {
  assertString('output', output);
  assertKnownOptions('synth', options, ['shape', 'type', 'tokenizer', 'seed', 'dryRun', ...JOB_OPTIONS]);
  checkJobOptions(options);
  const { shape, type = 'Q4_0', tokenizer = true, seed = 0, dryRun = false } = options;
  assertOneOf('shape', shape, SYNTH_SHAPES);
  assertInteger('seed', seed, 0);
  assertBoolean('dryRun', dryRun);
  if (typeof tokenizer !== 'boolean') assertString('tokenizer', tokenizer);
  const path = tokenizer === true ? demoModelPath() : tokenizer && resolveModelPath(tokenizer);
  const job = { shape, output, type: toFileType(type), tokenizer: path || '', seed, dryRun };
  return runJob((report) => native().synth(job, report), options);
}
