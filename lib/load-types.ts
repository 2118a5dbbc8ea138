// How a model is loaded, and what is told beforehand.

import type { ChatFormat } from './chat-formats.js';
import type { KvCacheType, Precision, Progress } from './types.js';
import type { FileTypeName } from './weight-types.js';

/** Where a model runs. */
export type DeviceName = 'auto' | 'cpu' | 'cuda';

/** Of `Model.load`. */
export interface LoadOptions {
  /**
   * `exact`: f32 arithmetic and f32 KV. `high`: prompts through products of 16-bit integers (weights of any type and
   * activations, with a scale for 64 columns; exact sums; an error below that of rounding to f16, but for values that are some 30 times smaller
   * than the largest of their 64, which keep fewer bits), on ARM in f32. `fast`: prompts through int8 products on quantized weights; others as under `high`. Both decode in f32 from F32, F16 and BF16 weights, with activations of about 15 bits
   * from quantized ones, and keep f16 KV.
   * @defaultValue `exact` for F32 weights, `high` for F16 and BF16, `fast` for quantized ones
   */
  precision?: Precision;
  /**
   * Quantizes the matrices while loading, in memory. Quantizing what is quantized already is a warning.
   * @defaultValue as the file has them
   */
  type?: FileTypeName;
  /**
   * Keeps what `type` makes, so that the next load reads a small file instead of quantizing: in this folder, or with `true`
   * in `quantizedCacheFolder()`. A copy is made again when the source's files have changed or the copy is damaged.
   * @defaultValue `false`
   */
  cache?: boolean | string;
  /**
   * `cuda`: on the GPU, or an error that says why not. `auto`: there, with as many layers as fit, where its library is
   * installed and works, else on the CPU; `model.info` has `device`, `gpuLayers` and why there are not more.
   * @defaultValue `'auto'`
   */
  device?: DeviceName;
  /**
   * How many of the last layers the GPU takes, the output with them; the others run on the CPU. More than the model has is an
   * error; under `auto` fewer are taken where so many do not fit.
   * @defaultValue all, under `auto` as many as fit
   */
  gpuLayers?: number;
  /**
   * On a GPU: the same call gives the same bits whatever else runs in its batch, at some speed with many sequences. The CPU always
   * does so.
   * @defaultValue `false`
   */
  deterministic?: boolean;
  /** Threads of the engine, 1 to 256. @defaultValue the physical cores of its affinity and cpuset, at most its CPU quota */
  threads?: number;
  /**
   * Positions that one sequence may hold. More than the checkpoint's maxPositionEmbeddings is a warning.
   * @defaultValue the checkpoint's maxPositionEmbeddings
   */
  contextLength?: number;
  /**
   * Type of the cached keys and values. `f16` halves the memory of `f32`; `q8_0` takes 17 bytes where `f16` takes 32
   * (a little more for head sizes that are no multiples of 32), and rounds each to a multiple of a 127th of the largest of its 32.
   * @defaultValue `f32` under `exact`, else `f16`
   */
  kvCacheType?: KvCacheType;
  /** Sequences that are planned for; bounds the KV pool. @defaultValue `4` */
  maxSequences?: number;
  /** Bytes of the KV pool. @defaultValue maxSequences x contextLength positions */
  kvCacheBytes?: number;
  /**
   * How conversations are written: the name of one of `CHAT_FORMATS`, or a format of your own.
   * @defaultValue what the file says, else by the checkpoint's name; none for a model that was not tuned on conversations
   */
  chatFormat?: string | Readonly<ChatFormat>;
  /**
   * Called from time to time with the bytes read, and once at the end; what it throws ends the load. Weights that another load
   * has read already are reported once, as complete.
   * @defaultValue none
   */
  onProgress?: (progress: Progress) => void;
  /** Ends the load, which then rejects with `signal.reason`. @defaultValue none */
  signal?: AbortSignal;
}

/** What decides how much memory a model takes. */
export type InspectOptions = Pick<
  LoadOptions,
  'contextLength' | 'type' | 'precision' | 'kvCacheType' | 'maxSequences' | 'kvCacheBytes'
> & {
  /**
   * `cuda` and `auto` also ask the GPU what of the model fits: the inspection's `gpu`. `cuda` is an error where there is none.
   * @defaultValue `'cpu'`
   */
  device?: DeviceName;
};
