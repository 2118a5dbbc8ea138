// The flags of generation: kebab-case of GenerateOptions, with its meanings and defaults.

import type { GenerateOptions, LoadOptions } from '../index.js';
import type { OptionSpec } from './command.js';
import { earlyStopping, idsOrNone, integer, number, numbersById } from './values.js';

const flag = (flags: string, help: string, parse: (text: string) => unknown, defaultText?: string) => ({
  flags,
  help,
  parse,
  ...(defaultText === undefined ? {} : { defaultText }),
});

export const generateFlags: readonly OptionSpec[] = [
  flag('-n, --max-new-tokens <n>', 'most tokens to generate', integer(1), 'chat: what fits; raw: 256'),
  flag('--min-new-tokens <n>', 'tokens before the model may end', integer(0)),
  flag('--temperature <t>', '0 is greedy', number, "the model's, else greedy"),
  flag('--top-k <n>', 'sample among the n most likely; 0: all', integer(0), '50 when sampling'),
  flag('--top-p <p>', 'sample among the most likely whose sum reaches p', number, '1'),
  flag('--min-p <p>', 'drop what is less likely than p times the best', number, '0'),
  flag('--typical-p <p>', 'locally typical sampling', number, '1'),
  flag('--epsilon-cutoff <p>', 'drop what is less likely than p', number, '0'),
  flag('--eta-cutoff <p>', 'the same by entropy', number, '0'),
  flag('--repetition-penalty <x>', 'over prompt and output; 1 is off', number, '1'),
  flag('--no-repeat-ngram-size <n>', 'no n-gram twice; 0 is off', integer(0), '0'),
  flag('--presence-penalty <x>', 'off the score of ids that came in the output', number, '0'),
  flag('--frequency-penalty <x>', 'the same, each time that they came', number, '0'),
  flag('--logit-bias <id=x,...>', 'added to the scores of ids', numbersById),
  flag('--dry-multiplier <x>', 'DRY, against repeated sequences; 0 is off', number, '0'),
  flag('--dry-base <x>', 'growth of its penalty with the length', number, '1.75'),
  flag('--dry-allowed-length <n>', 'the shortest repetition that costs', integer(1), '2'),
  flag('--dry-range <n>', 'how many of the last tokens it searches; 0: all', integer(0), '0'),
  {
    flags: '--dry-sequence-breaker <text>',
    help: 'no repetition reaches over it; may be repeated',
    repeats: true,
    defaultText: 'line break : " *',
  },
  flag(
    '--prompt-lookup-num-tokens <n>',
    'tokens to draft where the text repeats; 0: none; the answer stays the same',
    integer(0, 64),
    'as many as pay',
  ),
  { flags: '--do-sample', help: 'sample, with the defaults of sampling' },
  flag('--num-beams <n>', 'beam search; the answer comes at its end', integer(1), '1'),
  flag('--length-penalty <x>', 'beams: above 0 favours long answers', number, '1'),
  flag('--early-stopping <when>', 'beams: true, false or never', earlyStopping, 'false'),
  flag('-s, --seed <n>', 'the same seed gives the same text', integer(0), 'random'),
  { flags: '--stop <text>', help: 'text that ends the answer; may be repeated', repeats: true },
  flag('--eos-token-id <ids>', 'ids that end the answer, comma-separated, or none', idsOrNone, "the model's"),
  flag('--max-time <s>', 'seconds after which the answer ends', number),
  {
    flags: '--context-overflow <policy>',
    help: 'when the context is full: fail, cut the prompt, or drop what is oldest and go on',
    choices: ['error', 'truncateLeft', 'shift'],
    defaultText: 'error; chat without beams: shift',
  },
  flag('--overflow-keep <n>', 'tokens at the beginning that are never dropped', integer(0), '0'),
  { flags: '--preset <name>', help: "start from the model card's settings", choices: ['card'] },
  { flags: '--no-skip-special-tokens', help: 'show special tokens' },
];

const KEYS = [
  'maxNewTokens',
  'minNewTokens',
  'temperature',
  'topK',
  'topP',
  'minP',
  'typicalP',
  'epsilonCutoff',
  'etaCutoff',
  'repetitionPenalty',
  'noRepeatNgramSize',
  'presencePenalty',
  'frequencyPenalty',
  'logitBias',
  'dryMultiplier',
  'dryBase',
  'dryAllowedLength',
  'dryRange',
  'doSample',
  'numBeams',
  'lengthPenalty',
  'earlyStopping',
  'seed',
  'stop',
  'eosTokenId',
  'maxTime',
  'promptLookupNumTokens',
  'contextOverflow',
  'overflowKeep',
  'preset',
] as const;

export type GenerateFlags = Pick<GenerateOptions, (typeof KEYS)[number]> & {
  drySequenceBreaker?: string[];
  noSkipSpecialTokens?: boolean;
};

/** What was given, as options of `generate` and `chat`. */
export function generateOptions(flags: GenerateFlags): GenerateOptions {
  const given = KEYS.filter((key) => flags[key] !== undefined).map((key) => [key, flags[key]]);
  const options = Object.fromEntries(given) as GenerateOptions;
  if (flags.drySequenceBreaker) options.drySequenceBreakers = flags.drySequenceBreaker;
  return flags.noSkipSpecialTokens ? { ...options, skipSpecialTokens: false } : options;
}

/** What several sequences need of the KV pool: beams stand in it together, with a block more; outputs that are drawn may wait. */
export function roomFor({ numBeams = 1, numReturnSequences = 1 }: GenerateOptions): LoadOptions {
  return { maxSequences: numBeams > 1 ? numBeams + 1 : Math.min(numReturnSequences, 4) };
}
