// The engine's sampler over scores of the caller's own.

import { resolveBreakers } from './dry-breakers.js';
import { fromNative } from './errors.js';
import { type NativeSampler, native } from './native.js';
import { checkSamplerOptions, resolveSampler, SAMPLER_OPTIONS } from './sampler-options.js';
import type { SamplerOptions, TokenIds } from './types.js';
import { assertFloat32Array, assertInteger, assertKnownOptions, assertTokenIds } from './validate.js';

/** Where a row of scores stands. */
export interface SamplerContext {
  /** How many of the ids are the prompt. @defaultValue all of them */
  promptLength?: number;
  /**
   * Of the best, how many topP and the like always leave: Hugging Face's beam search leaves one more than there are eos ids.
   * @defaultValue `1`
   */
  minTokensToKeep?: number;
  /** Which of `numReturnSequences` is drawn: the draws of each are independent. @defaultValue `0` */
  choice?: number;
}

/**
 * Hugging Face's logits processors in their order, and the draw. Generation uses the very same code.
 *
 * @example
 * const sampler = new Sampler({ temperature: 0.8, topP: 0.9, seed: 1 });
 * const { data } = await model.logits(ids);
 * const id = sampler.sample(data, ids, { promptLength: ids.length });
 */
export class Sampler {
  readonly #native: NativeSampler;
  /** The seed given, or the one drawn when sampling without one. */
  readonly seed: number;

  /**
   * @param options - `maxLength`, prompt and output together, is what `forcedEosTokenId` needs to know
   * @throws ArgumentError
   */
  constructor(options: SamplerOptions & { maxLength?: number } = {}) {
    assertKnownOptions('Sampler', options, [...SAMPLER_OPTIONS, 'maxLength']);
    checkSamplerOptions(options);
    if (options.maxLength !== undefined) assertInteger('maxLength', options.maxLength, 1, 0x7fffffff);
    const resolved = resolveSampler(options, {}, []);
    if (options.maxLength !== undefined) resolved.maxLength = options.maxLength;
    this.seed = resolved.seed;
    if (options.dryMultiplier)
      Object.assign(resolved, resolveBreakers(options.drySequenceBreakers, undefined));
    this.#native = native().createSampler(resolved);
  }

  /**
   * The processed scores, equal to what Hugging Face's processors give.
   * @param scores - `[vocabSize]`, not changed
   * @param ids - prompt and output so far
   */
  process(scores: Float32Array, ids: TokenIds, context: SamplerContext = {}): Float32Array {
    return this.#run('process', scores, ids, context);
  }

  /**
   * A token id: the first of the largest processed scores, or a draw that follows from seed, choice, number of ids and scores alone.
   * @throws `ERR_NEOX_NAN` when the scores hold a NaN or leave no token
   */
  sample(scores: Float32Array, ids: TokenIds, context: SamplerContext = {}): number {
    return this.#run('sample', scores, ids, context);
  }

  #run<M extends 'process' | 'sample'>(
    method: M,
    scores: Float32Array,
    ids: TokenIds,
    context: SamplerContext,
  ): ReturnType<NativeSampler[M]> {
    assertKnownOptions(`Sampler.${method}`, context, ['promptLength', 'minTokensToKeep', 'choice']);
    assertFloat32Array('scores', scores);
    assertTokenIds('ids', ids);
    const list = Int32Array.from(ids);
    const { promptLength = list.length, minTokensToKeep = 1, choice = 0 } = context;
    assertInteger('promptLength', promptLength, 0, list.length);
    assertInteger('minTokensToKeep', minTokensToKeep, 1, 0x7fffffff);
    assertInteger('choice', choice, 0, 0x7fffffff);
    try {
      return this.#native[method](scores, list, promptLength, minTokensToKeep, choice) as ReturnType<
        NativeSampler[M]
      >;
    } catch (error) {
      throw fromNative(error);
    }
  }
}
