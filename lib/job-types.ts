// What jobs tell when they are done.

import type { TensorType } from './types.js';

/** What a job that wrote a model file tells. */
export interface JobResult {
  /** Bytes of tensor data written. */
  tensorBytes: number;
  /** Tensors that got another type than the asked one, because their rows are no multiple of its block. */
  fallbacks: string[];
  /** Tensors that were quantized before and are now quantized to another type: two errors in one. */
  requantized: string[];
  /** Matrices of layers that were quantized without importance, because the importance matrix given lacks them. */
  unweighted: string[];
  /** With `report`, what became of the matrices whose types changed, in file order; else empty. */
  tensors: TensorReport[];
}

/** How far a matrix as written is from what it was. */
export interface TensorReport {
  /** The tensor's. */
  name: string;
  /** As written. */
  type: TensorType;
  /** Number of weights. */
  elements: number;
  /** As written, scales included. */
  bitsPerWeight: number;
  /** Root mean square of the weights before. */
  rms: number;
  /** Root mean square of the differences. */
  rmse: number;
  /** `rmse / rms`. */
  relativeError: number;
  /** The largest difference. */
  maxError: number;
  /** With an importance matrix: the relative error where each square counts as much as its column matters. */
  weightedError?: number;
}

/** A tensor with numbers that are not finite. */
export interface BadTensor {
  /** As the file calls it. */
  name: string;
  /** How many are not a number. */
  nan: number;
  /** How many are infinite. */
  infinite: number;
  /** Of the first of them. */
  row: number;
  /** Of the first of them. */
  column: number;
}

/** What collecting an importance matrix tells. */
export interface ImportanceResult {
  /** Chunks run. */
  chunks: number;
  /** Tokens run. */
  tokens: number;
  /** Matrices in the file. */
  entries: number;
}
