// How tokens are chosen. Names are the camelCase of Hugging Face's, and so are the meanings.

/** How tokens are chosen. */
export interface SamplerOptions {
  /**
   * Whether tokens are drawn; otherwise the most likely one is taken.
   * @defaultValue true when `temperature` > 0 or any of topK, topP, minP, typicalP, epsilonCutoff, etaCutoff is set
   */
  doSample?: boolean;
  /** Divides the scores; 0 is greedy. @defaultValue `1` when sampling */
  temperature?: number;
  /** Keeps the `topK` most likely tokens; 0 keeps all. @defaultValue `50` when sampling */
  topK?: number;
  /** Keeps the smallest set of tokens whose probability reaches `topP`. @defaultValue `1` (off) */
  topP?: number;
  /** Drops tokens less likely than `minP` times the most likely one. @defaultValue `0` (off) */
  minP?: number;
  /** Keeps the tokens whose information is nearest to the entropy, up to this probability. @defaultValue `1` (off) */
  typicalP?: number;
  /** Drops tokens less likely than this, from 0 to below 1. @defaultValue `0` (off) */
  epsilonCutoff?: number;
  /** Drops tokens less likely than the less of `etaCutoff` and `sqrt(etaCutoff) * exp(-entropy)`. @defaultValue `0` (off) */
  etaCutoff?: number;
  /** Divides the positive and multiplies the negative scores of tokens in prompt and output. @defaultValue `1` (off) */
  repetitionPenalty?: number;
  /** No run of so many tokens comes twice, the prompt counted. @defaultValue `0` (off) */
  noRepeatNgramSize?: number;
  /** Sequences of ids that never come; a single eos among them is ignored. @defaultValue none */
  badWordsIds?: readonly (readonly number[])[];
  /** What is added to the score of a sequence's last id when the others stand before it: `[[ids, bias]]`. @defaultValue none */
  sequenceBias?: readonly (readonly [readonly number[], number])[];
  /** No eos before prompt and output have so many tokens; `generate` ignores it beside `minNewTokens`. @defaultValue `0` */
  minLength?: number;
  /** No eos before the output has so many tokens. @defaultValue `0` */
  minNewTokens?: number;
  /** The token after a prompt of one. @defaultValue none */
  forcedBosTokenId?: number;
  /** The last token when `maxNewTokens` is reached: one id or one of several. @defaultValue none */
  forcedEosTokenId?: number | readonly number[];
  /** `[start, factor]`: n new tokens after `start`, the eos gains `abs(score) * (factor ** n - 1)`. @defaultValue none */
  exponentialDecayLengthPenalty?: readonly [number, number];
  /** Ids that never come. @defaultValue none */
  suppressTokens?: readonly number[];
  /** Ids that are never the first new one. @defaultValue none */
  beginSuppressTokens?: readonly number[];
  /** Turns the processed scores into log-probabilities. @defaultValue `false` */
  renormalizeLogits?: boolean;
  /** Not Hugging Face's but OpenAI's: taken from the score of every id of the output so far; below 0 it invites. @defaultValue `0` */
  presencePenalty?: number;
  /** The same, once for each time that the id came in the output. @defaultValue `0` */
  frequencyPenalty?: number;
  /** Not Hugging Face's but OpenAI's: what is added to the scores of ids; -100 all but forbids one. @defaultValue none */
  logitBias?: ReadonlyMap<number, number> | Readonly<Record<number, number>>;
  /**
   * Not Hugging Face's: DRY. A token that would extend a repetition in prompt and output loses
   * `dryMultiplier * dryBase ** (length of the repetition - dryAllowedLength)`; 0.8 is common. @defaultValue `0` (off)
   */
  dryMultiplier?: number;
  /** At least 1. @defaultValue `1.75` */
  dryBase?: number;
  /** The shortest repetition that costs, at least 1. @defaultValue `2` */
  dryAllowedLength?: number;
  /** How many of the last tokens are searched for repetitions; 0: all. @defaultValue `0` */
  dryRange?: number;
  /**
   * No repetition reaches over these, texts or lists of ids, and they cost nothing themselves. A text stands for all tokens
   * that hold it, too; it needs a tokenizer. In `chat`, "\n" stands for the format's line break as well.
   * @defaultValue `['\n', ':', '"', '*']` where the model has a tokenizer
   */
  drySequenceBreakers?: readonly (string | readonly number[])[];
  /** One id, several, or `null` for none. @defaultValue the checkpoint's */
  eosTokenId?: number | readonly number[] | null;
  /** 0 to 2^53 - 1. The same seed and the same logits give the same ids everywhere. @defaultValue random */
  seed?: number;
}
