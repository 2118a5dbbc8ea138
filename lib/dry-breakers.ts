// DRY's sequence breakers as ids.

import { ArgumentError } from './errors.js';
import type { NativeSamplerOptions } from './native.js';
import type { Tokenizer } from './tokenizer.js';
import type { SamplerOptions } from './types.js';

export type DryBreakers = NonNullable<SamplerOptions['drySequenceBreakers']>;
type BreakerIds = Required<Pick<NativeSamplerOptions, 'dryBreakerIds' | 'dryBreakerSequences'>>;

// As published with DRY.
const DEFAULT: DryBreakers = ['\n', ':', '"', '*'];

// Texts may come from strangers, so what was found is not kept without end.
const MAX_KNOWN_TEXTS = 64;

/** The ids of all tokens that hold a text, found once for each tokenizer. */
const holders = new WeakMap<Tokenizer, Map<string, readonly number[]>>();

/**
 * @param breakers - undefined for those published with DRY
 * @param replace - of decoded text: a breaker that text is replaced by stands for that text, too
 * @throws ArgumentError for a text without a tokenizer
 */
export function resolveBreakers(
  breakers: DryBreakers | undefined,
  tokenizer: Tokenizer | undefined,
  replace: readonly (readonly [string, string])[] = [],
): BreakerIds {
  const ids = new Set<number>();
  const sequences: Int32Array[] = [];
  const add = (sequence: readonly number[]): void => {
    if (sequence.length === 1) ids.add(sequence[0] as number);
    else if (sequence.length > 1) sequences.push(Int32Array.from(sequence));
  };
  for (const breaker of breakers ?? (tokenizer ? DEFAULT : [])) {
    if (typeof breaker !== 'string') {
      add(breaker);
      continue;
    }
    if (!tokenizer) {
      throw new ArgumentError(
        'There is no tokenizer for the text in `drySequenceBreakers`: give lists of token ids.',
      );
    }
    for (const text of [breaker, ...replace.filter(([, to]) => to === breaker).map(([from]) => from)]) {
      for (const id of tokensThatHold(tokenizer, text)) ids.add(id);
      add(tokenizer.encode(text, { addSpecialTokens: false, splitSpecialTokens: false }));
    }
  }
  return { dryBreakerIds: Int32Array.from(ids), dryBreakerSequences: sequences };
}

function tokensThatHold(tokenizer: Tokenizer, text: string): readonly number[] {
  const known = holders.get(tokenizer) ?? new Map<string, readonly number[]>();
  holders.set(tokenizer, known);
  const found =
    known.get(text) ??
    Array.from({ length: tokenizer.vocabSize }, (_, id) => id).filter((id) =>
      tokenizer.surfaceOf(id).includes(text),
    );
  if (known.size >= MAX_KNOWN_TEXTS) known.clear();
  known.set(text, found);
  return found;
}
