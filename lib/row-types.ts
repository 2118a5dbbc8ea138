// What is read off the rows of a prompt, and how.

import type { TokenLogprob } from './types.js';

/** Of the calls of `Model` that read values off a prompt. */
export interface ReadOptions {
  /** Stops the call, which then rejects with `signal.reason`. @defaultValue none */
  signal?: AbortSignal;
}

/** Of `Model.logits` and `Model.hiddenStates`. */
export interface PositionOptions extends ReadOptions {
  /** Of the rows wanted: rising, counted from 0. @defaultValue `'last'` */
  positions?: 'last' | 'all' | readonly number[];
}

/** A matrix, row-major. */
export interface Rows {
  /** The rows, one behind the other. */
  data: Float32Array;
  /** How many rows, and how long each is. */
  shape: [rows: number, columns: number];
}

/** Natural logarithms. */
export interface Score {
  /** Of the whole continuation. */
  sum: number;
  /** The continuation's, each after all before it. */
  tokens: TokenLogprob[];
}

/** Of `Model.embed`. */
export interface EmbedOptions extends ReadOptions {
  /** The mean over all tokens, or the last one's. @defaultValue `'mean'` */
  pooling?: 'mean' | 'last';
  /** Scales the vector to length 1. @defaultValue `true` */
  normalize?: boolean;
}
