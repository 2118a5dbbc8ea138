// Options of sessions and of their calls.

import type { JobOptions } from './jobs.js';
import type { OverflowOptions } from './overflow-types.js';
import type { GenerateOptions } from './types.js';

/** Of `Session.generate` and `Session.chat`. */
export interface SessionGenerateOptions extends GenerateOptions {
  /**
   * The prompt, or the conversation, takes the place of all that the session holds. What both begin with is kept, token by
   * token and embeddings by value, and is not computed again; `usage.cachedTokens` tells how much. Tokens that the session
   * has generated keep the arithmetic of steps, which can differ from a prompt's in the last bits (`precision: 'fast'`).
   * A call that fails leaves what both have in common. After an overflow nothing is kept.
   * @defaultValue `false`: the prompt is appended
   */
  replace?: boolean;
}

/** Of `Model.restoreSession`. */
export interface RestoreOptions extends JobOptions, OverflowOptions {
  /**
   * Takes a file of the same model with another precision or KV type as well, and computes its cache again.
   * @defaultValue `false`
   */
  recompute?: boolean;
}
