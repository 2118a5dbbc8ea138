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
/** One of {@link SYNTH_SHAPES}. */
export type SynthShape = (typeof SYNTH_SHAPES)[number];

const MOST_LAYERS = 2 ** 31 - 1; // a number that the addon can say is too large for the shape

/** Of `synth`. */
export interface SynthOptions extends JobOptions {
  /** Whose layers, sizes and rotary embedding the model has. */
  shape: SynthShape;
  /** Of the matrices. @defaultValue `'Q4_0'` */
  type?: FileTypeName;
  /**
   * A GGUF file or directory whose tokenizer is taken, filled up with unused pieces; `true` takes the demo model's, `false`
   * none.
   * @defaultValue `true`
   */
  tokenizer?: boolean | string;
  /**
   * The first layers of the shape alone, with the very weights that they have in the whole; the types of a mix such as Q4_K_M
   * follow the number of layers.
   * @defaultValue all
   */
  numHiddenLayers?: number;
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
  const known = ['shape', 'type', 'tokenizer', 'numHiddenLayers', 'seed', 'dryRun', ...JOB_OPTIONS];
  assertKnownOptions('synth', options, known);
  checkJobOptions(options);
  const { shape, type = 'Q4_0', tokenizer = true, numHiddenLayers, seed = 0, dryRun = false } = options;
  assertOneOf('shape', shape, SYNTH_SHAPES);
  if (numHiddenLayers !== undefined) assertInteger('numHiddenLayers', numHiddenLayers, 1, MOST_LAYERS);
  assertInteger('seed', seed, 0);
  assertBoolean('dryRun', dryRun);
  if (typeof tokenizer !== 'boolean') assertString('tokenizer', tokenizer);
  const path = tokenizer === true ? demoModelPath() : tokenizer && resolveModelPath(tokenizer);
  const layers = numHiddenLayers === undefined ? {} : { numHiddenLayers };
  const job = { shape, output, type: toFileType(type), tokenizer: path || '', ...layers, seed, dryRun };
  return runJob((report) => native().synth(job, report), options);
}
