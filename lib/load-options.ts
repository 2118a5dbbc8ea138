// Options of Model.load and Model.inspect.

import { cudaOptions } from './cuda-library.js';
import { toFileType } from './file-types.js';
import { checkJobOptions, JOB_OPTIONS } from './jobs.js';
import type { DeviceName, InspectOptions, LoadOptions } from './load-types.js';
import type { NativeLoadOptions } from './native-load-types.js';
import { assertBoolean, assertInteger, assertKnownOptions, assertOneOf, unexpected } from './validate.js';

/** The longest context that any checkpoint may be run with. */
const MAX_CONTEXT = 1 << 20;
const INSPECT_OPTIONS = [
  'contextLength',
  'type',
  'precision',
  'kvCacheType',
  'maxSequences',
  'kvCacheBytes',
  'device',
];
const DEVICES = ['auto', 'cpu', 'cuda'];
const LOAD_OPTIONS = [
  ...INSPECT_OPTIONS,
  'gpuLayers',
  'deterministic',
  'threads',
  'cache',
  'chatFormat',
  ...JOB_OPTIONS,
];

/** @throws ArgumentError */
export function checkLoadOptions(options: LoadOptions): NativeLoadOptions {
  assertKnownOptions('Model.load', options, LOAD_OPTIONS);
  checkJobOptions(options);
  const { device = 'auto', gpuLayers, deterministic, threads, type, cache } = options;
  assertOneOf('device', device, DEVICES);
  if (gpuLayers !== undefined) assertInteger('gpuLayers', gpuLayers, 0);
  if (gpuLayers !== undefined && gpuLayers > 0 && device === 'cpu') {
    throw unexpected('0 beside the device cpu', 'gpuLayers', gpuLayers);
  }
  if (deterministic !== undefined) assertBoolean('deterministic', deterministic);
  if (cache !== undefined && typeof cache !== 'boolean' && (typeof cache !== 'string' || cache === '')) {
    throw unexpected('a boolean or the path of a folder', 'cache', cache);
  }
  if (cache && type === undefined) throw unexpected('a type beside `cache`', 'type', type);
  if (threads !== undefined) assertInteger('threads', threads, 1, 256);
  const own = { threads, gpuLayers, deterministic };
  return { ...checkCommon(options), ...deviceOptions(device), ...given(own) };
}

/** @throws ArgumentError */
export function checkInspectOptions(options: InspectOptions): NativeLoadOptions {
  assertKnownOptions('Model.inspect', options, INSPECT_OPTIONS);
  const { device = 'cpu' } = options;
  assertOneOf('device', device, DEVICES);
  return { ...checkCommon(options), ...deviceOptions(device) };
}

function deviceOptions(device: DeviceName): NativeLoadOptions {
  return { device, ...(device === 'cpu' ? {} : cudaOptions()) };
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
  return given(all);
}

function given(options: object): NativeLoadOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
