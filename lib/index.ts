// The public surface: re-exports only.

export type * from './beam-types.js';
export { CHAT_FORMATS, type ChatFormat } from './chat-formats.js';
export { type CompareOptions, compareModels, type ModelComparison } from './compare.js';
export { type ConvertOptions, convert } from './convert.js';
export type { DecodeOptions, DecodeStream, DecodeStreamOptions } from './decode-stream.js';
export { demoModelPath } from './demo.js';
export { type DeviceInfo, listDevices } from './devices.js';
export {
  ArgumentError,
  ContextFullError,
  DisposedError,
  ERROR_CODES,
  type ErrorCode,
  FormatError,
  HubError,
  type HubErrorCode,
  LoadError,
  NeoxError,
} from './errors.js';
export { FILE_TYPES, TENSOR_TYPES, type TypeOptions, toFileType, toTensorType } from './file-types.js';
export { Generation } from './generation.js';
export { type PullOptions, type PullResult, pull } from './hub.js';
export {
  type CacheOptions,
  listModels,
  type PulledModel,
  type PulledRevision,
  removeModel,
} from './hub-models.js';
export { type CollectImportanceOptions, collectImportance, mergeImportance } from './imatrix.js';
export type { GpuInspection, ModelInspection, ModelMemory, TokenizerInspection } from './inspection.js';
export type * from './job-types.js';
export type { JobOptions } from './jobs.js';
export type * from './load-types.js';
export { Model } from './model.js';
export type * from './overflow-types.js';
export type * from './profile-types.js';
export { type QuantizeOptions, quantize } from './quantize.js';
export { quantizedCacheFolder } from './quantized-cache.js';
export type * from './row-types.js';
export { Sampler, type SamplerContext } from './sampler.js';
export { Session } from './session.js';
export type * from './session-types.js';
export { SYNTH_SHAPES, type SynthOptions, type SynthShape, synth } from './synth.js';
export {
  type CeilingOptions,
  type Ceilings,
  measureCeilings,
  type SystemInfo,
  systemInfo,
} from './system.js';
export { type EncodeOptions, Tokenizer } from './tokenizer.js';
export type * from './types.js';
export { type Verification, type VerifiedFile, verify } from './verify.js';
