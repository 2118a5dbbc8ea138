// Importance matrices: how large what enters each column of a model's matrices is on a text. `quantize` weighs errors with it.

import { resolveModelPath } from './hub-cache.js';
import type { ImportanceResult } from './job-types.js';
import { checkJobOptions, JOB_OPTIONS, type JobOptions, runJob } from './jobs.js';
import type { LoadOptions } from './load-types.js';
import { native } from './native.js';
import { assertNotInput } from './output-path.js';
import { Tokenizer } from './tokenizer.js';
import type { TokenIds } from './types.js';
import {
  assertBoolean,
  assertInteger,
  assertKnownOptions,
  assertOneOf,
  assertString,
  assertTokenIds,
  unexpected,
} from './validate.js';

/** The longest chunk that any checkpoint may be run with. */
const MAX_CHUNK = 1 << 20;

/** Of `collectImportance`. */
export interface CollectImportanceOptions extends JobOptions {
  /** What the model will be used on; encoded with the model's own tokenizer. This or `ids`. */
  text?: string;
  /** The same as ids. */
  ids?: TokenIds;
  /** The text's name in the file. @defaultValue none */
  dataset?: string;
  /** Tokens of a chunk. Chunks follow one another and know nothing of each other; a rest is left out. @defaultValue `512` */
  contextLength?: number;
  /** Most chunks to run. @defaultValue all */
  chunks?: number;
  /** Importance matrices that are added to this one. @defaultValue none */
  inputs?: readonly string[];
  /** Collects for `output.weight` too, which llama.cpp leaves out by default. @defaultValue `false` */
  processOutput?: boolean;
  /** Arithmetic of the network. @defaultValue by the weights' type, as for `Model.load` */
  precision?: LoadOptions['precision'];
  /** @defaultValue the physical cores that this process may use */
  threads?: number;
}

const OPTIONS = [
  ...['text', 'ids', 'dataset', 'contextLength', 'chunks', 'inputs', 'processOutput', 'precision', 'threads'],
  ...JOB_OPTIONS,
];

/**
 * Runs a text through a model and writes its importance matrix: llama.cpp's GGUF form, or its legacy form where `output`
 * ends in `.dat`. Progress counts tokens. The file appears only when all of it is written.
 * @param path - a .gguf file, a Hugging Face directory, or the name of a pulled repository
 * @throws FormatError, ArgumentError; `ERR_NEOX_NAN` for a network whose values are not finite
 */
export async function collectImportance(
  path: string,
  output: string,
  options: CollectImportanceOptions,
): Promise<ImportanceResult> {
  assertString('path', path);
  assertString('output', output);
  checkOptions(options);
  const { contextLength = 512, chunks, dataset, inputs = [], processOutput = false } = options;
  const { precision, threads } = options;
  options.signal?.throwIfAborted();
  const model = resolveModelPath(path);
  assertNotInput(model, output);
  const { ids, bos } = await readTokens(path, options);
  const job = {
    model,
    output,
    ids,
    inputs: [...inputs],
    chunkSize: contextLength,
    processOutput,
    ...(bos === undefined ? {} : { bos }),
    ...(dataset === undefined ? {} : { dataset }),
    ...(chunks === undefined ? {} : { maxChunks: chunks }),
    ...(precision === undefined ? {} : { precision }),
    ...(threads === undefined ? {} : { threads }),
  };
  return runJob((report) => native().collectImportance(job, report), options);
}

/**
 * Adds importance matrices of one model, in either form, to one.
 * @throws ArgumentError, FormatError; `ERR_NEOX_FILE_NOT_FOUND`, `ERR_NEOX_IO`; `signal.reason` after an abort
 */
export async function mergeImportance(
  inputs: readonly string[],
  output: string,
  options: JobOptions = {},
): Promise<ImportanceResult> {
  checkInputs(inputs);
  assertKnownOptions('mergeImportance', options, JOB_OPTIONS);
  checkJobOptions(options);
  if (inputs.length === 0) throw unexpected('at least one file', 'inputs', inputs);
  assertString('output', output);
  const job = { output, inputs: [...inputs] };
  return runJob((report) => native().collectImportance(job, report), options);
}

function checkOptions(options: CollectImportanceOptions): void {
  assertKnownOptions('collectImportance', options, OPTIONS);
  checkJobOptions(options);
  const { text, ids, dataset, contextLength, chunks, inputs, processOutput, precision, threads } = options;
  if (ids !== undefined) assertTokenIds('ids', ids);
  else assertString('text', text);
  if (ids !== undefined && text !== undefined) throw unexpected('`text` or `ids`, not both,', 'text', text);
  if (dataset !== undefined) assertString('dataset', dataset);
  if (contextLength !== undefined) assertInteger('contextLength', contextLength, 1, MAX_CHUNK);
  if (chunks !== undefined) assertInteger('chunks', chunks, 1);
  if (inputs !== undefined) checkInputs(inputs);
  if (processOutput !== undefined) assertBoolean('processOutput', processOutput);
  if (precision !== undefined) assertOneOf('precision', precision, ['exact', 'high', 'fast']);
  if (threads !== undefined) assertInteger('threads', threads, 1, 256);
}

function checkInputs(inputs: unknown): asserts inputs is readonly string[] {
  if (!Array.isArray(inputs)) throw unexpected('a list of files', 'inputs', inputs);
  inputs.forEach((file, index) => {
    assertString(`inputs[${index}]`, file);
  });
}

// A chunk begins with a bos where the tokenizer begins texts with one.
async function readTokens(
  path: string,
  { text, ids }: CollectImportanceOptions,
): Promise<{ ids: Int32Array; bos?: number }> {
  if (text === undefined) {
    if (ids?.length === 0) throw unexpected('at least one token', 'ids', ids);
    return { ids: Int32Array.from(ids ?? []) };
  }
  const tokenizer = await Tokenizer.load(path);
  const encoded = Int32Array.from(tokenizer.encode(text, { addSpecialTokens: false }));
  if (encoded.length === 0) throw unexpected('at least one token', 'text', text);
  const bos = tokenizer.bosTokenId;
  return bos !== undefined && tokenizer.encode('')[0] === bos ? { ids: encoded, bos } : { ids: encoded };
}
