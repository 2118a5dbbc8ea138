// Options of Model.load and Model.inspect.

import { NeoxError } from './errors.js';
import { toFileType } from './file-types.js';
import { checkJobOptions, JOB_OPTIONS } from './jobs.js';
import type { InspectOptions, LoadOptions } from './load-types.js';
import type { NativeLoadOptions } from './native-load-types.js';
import { assertInteger, assertKnownOptions, assertOneOf, unexpected } from './validate.js';

/** The longest context that any checkpoint may be run with. */
const MAX_CONTEXT = 1 << 20;
const INSPECT_OPTIONS = ['contextLength', 'type', 'precision', 'kvCacheType', 'maxSequences', 'kvCacheBytes'];
const LOAD_OPTIONS = [...INSPECT_OPTIONS, 'device', 'threads', 'cache', 'chatFormat', ...JOB_OPTIONS];

/** @throws ArgumentError; `ERR_NEOX_BACKEND` for a device that this build does not have */
export function checkLoadOptions(options: LoadOptions): NativeLoadOptions {
  assertKnownOptions('Model.load', options, LOAD_OPTIONS);
  checkJobOptions(options);
  const { device, threads, type, cache } = options;
  if (device !== undefined) assertOneOf('device', device, ['auto', 'cpu', 'cuda']);
  if (device === 'cuda') throw new NeoxError('ERR_NEOX_BACKEND', 'This build has no CUDA: use device "cpu".');
  if (cache !== undefined && typeof cache !== 'boolean' && (typeof cache !== 'string' || cache === '')) {
    throw unexpected('a boolean or the path of a folder', 'cache', cache);
  }
  if (cache && type === undefined) throw unexpected('a type beside `cache`', 'type', type);
  if (threads !== undefined) assertInteger('threads', threads, 1, 256);
  return { ...checkCommon(options), ...(threads === undefined ? {} : { threads }) };
}

/** @throws ArgumentError */
export function checkInspectOptions(options: InspectOptions): NativeLoadOptions {
  assertKnownOptions('Model.inspect', options, INSPECT_OPTIONS);
  return checkCommon(options);
}

function checkCommon(options: InspectOptions): NativeLoadOptions {
  const { contextLength, type, precision, kvCacheType, maxSequences, kvCacheBytes } = options;
  if (contextLength !== undefined) assertInteger('contextLength', contextLength, 1, MAX_CONTEXT);
  if (precision !== undefined) assertOneOf('precision', precision, ['exact', 'high', 'fast']);
  if (kvCacheType !== undefined) assertOneOf('kvCacheType', kvCacheType, ['f32', 'f16', 'q8_0']);
  if (maxSequences !== undefined) assertInteger('maxSequences', maxSequences, 1, 65_536);
  if (kvCacheBytes !== undefined) assertInteger('kvCacheBytes', kvCacheBytes, 1);
  const fileType = type === undefined ? undefined : toFileType(type);
  const all = { contextLength, type: fileType, precision, kvCacheType, maxSequences, kvCacheBytes };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
