// The options of a context that is full.

/** What becomes of a call that the context has no room for. */
export interface OverflowOptions {
  /**
   * `error`: it is refused. `truncateLeft`: before it begins the oldest tokens are dropped, so many that prompt and
   * `maxNewTokens` fit, and those behind them are computed anew: what follows is what the shorter prompt gives. `shift`:
   * whenever the context is full, the oldest tokens are dropped in blocks of 64, at least half of those that may be, and the
   * cache of the others is moved: generation goes on without end, cheaply, but what stays has seen what was dropped, which no
   * prompt gives (transformers has nothing like it).
   * @defaultValue `'error'`
   */
  contextOverflow?: 'error' | 'truncateLeft' | 'shift';
  /** Tokens at the beginning that are never dropped; `shift` rounds up to a multiple of 64. @defaultValue `0` */
  overflowKeep?: number;
}
