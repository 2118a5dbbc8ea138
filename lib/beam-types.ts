// The options of several output sequences, drawn or searched for.

/** How many sequences come of one prompt, which is computed once. */
export interface BeamOptions {
  /**
   * Output sequences, told apart by `Chunk.index`; a session has but one. With beams they are the best of them, at most
   * `numBeams`. Without, 1 to 256 that are drawn independently, which needs sampling; the first is the one that the same seed
   * gives alone. @defaultValue `1`
   */
  numReturnSequences?: number;
  /**
   * 2 to 256: beam search, or beam sampling with `doSample`. The sequences come whole, at its end, each in a chunk. Not beside
   * `stop` and `logitsProcessor`. @defaultValue `1`
   */
  numBeams?: number;
  /**
   * A beam's score is the sum of its log-probabilities divided by `length ** lengthPenalty`: above 0 favours long ones. Without
   * beams it means nothing. @defaultValue `1`
   */
  lengthPenalty?: number;
  /**
   * When beams end: with `numBeams` finished sequences (`true`), or when the best beam, if it ended now (`false`) or whenever it
   * did (`'never'`), would not be among them. Without beams it means nothing. @defaultValue `false`
   */
  earlyStopping?: boolean | 'never';
}
