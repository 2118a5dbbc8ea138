// Where the time of passes goes, by operation.

/** Time of the thread that runs the passes. */
export interface OperationTime {
  /** All of it, in milliseconds. */
  ms: number;
  /** Of these: until the other threads had finished their share. */
  waitMs: number;
}

/**
 * The products are those with the weights of query, key and value (`qkv`), of the attention's output (`dense`), of the
 * feed-forward (`fc1`, `fc2`) and of the `head`. `attention` includes the rotary embedding and the writing of keys and values,
 * `quantize` is that of what enters the products, for prompts with int8 arithmetic together with the norm before it;
 * what `fc1` rounds for `fc2` at once is `fc1`. `sampling` begins with the search for the largest logits.
 */
export type Operation =
  | 'norm'
  | 'quantize'
  | 'qkv'
  | 'attention'
  | 'dense'
  | 'fc1'
  | 'fc2'
  | 'head'
  | 'sampling'
  | 'other';

/** A sum over passes. */
export interface PassProfile {
  /** How many there were. */
  passes: number;
  /** Of all passes: a token of a prompt, or of a step, is one. */
  rows: number;
  /** Where their time went. */
  ops: Record<Operation, OperationTime>;
}

/** Passes with rows of prompts, and steps: passes that only continue sequences. */
export interface ModelProfile {
  /** Passes with rows of prompts. */
  prompt: PassProfile;
  /** The others. */
  step: PassProfile;
}
