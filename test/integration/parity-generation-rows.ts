// What docs/parity.md says in words about generation; parity-rows.ts has the rest.

import { row, type Section } from './parity-row.js';

const GREEDY = [
  'integration/generation-parity.test.ts',
  'the cases are five prompts of each checkpoint',
] as const;

export const GENERATION: readonly Section[] = [
  {
    title: 'Choosing tokens',
    rows: [
      row(
        'greedy',
        'identical',
        "ids, wherever the reference's margin is more than 1e-3 of the largest logit, and the reason for the end",
        GREEDY,
      ),
      row(
        'logits processors and their order',
        'identical',
        'which tokens are kept; values within rounding (the table below)',
        ['lib/sampler.test.ts', "test.each([...byName])('%s'"],
      ),
      row(
        'top-k ties, top-p order',
        'identical',
        "scores equal to the k-th are kept; which of equal scores goes first at the border of top-p, torch's sort leaves open",
        ['lib/sampler.test.ts', 'top-p subtracts before it rounds'],
      ),
      row(
        'processors of a prompt given as embeddings',
        'identical',
        'they see the new ids alone. A prompt of one single vector is put in again at every step by transformers 4.57.6; here it is put in once',
        ['integration/mixed-prompts.test.ts', 'processors see the new ids alone'],
      ),
      row(
        'sampling',
        'different',
        "the same distribution (chi-square tests below), other draws: torch's come from one stream of its generator, whose place depends on everything drawn before. Here a draw is keyed by seed, output and position, so the same logits give the same ids on every machine, in any company",
        ['integration/sampling.test.ts', 'draws follow the probabilities of transformers'],
      ),
      row(
        'several outputs of one prompt',
        'identical',
        'as repeated rows there: independent draws, and an error when greedy',
        ['lib/choices.test.ts', 'several need sampling, and are not for sessions'],
      ),
      row(
        'prompt lookup (drafts from the text itself)',
        'identical',
        'ids and log-probabilities are those without drafts, of sampled tokens too; on by itself where it pays, there by option',
        ['integration/speculation.test.ts', 'drafts change nothing'],
      ),
      row(
        'beam search: length penalty, early stopping, several sequences',
        'identical',
        'ids and scores; the order of equal scores, open there, is by beam and id. When sampling, the same distribution by other draws',
        ['integration/generation-parity.test.ts', 'beams with processors'],
      ),
      row(
        'every token excluded',
        'different',
        'an error, as nothing that comes would be meant; transformers takes id 0 when greedy',
        ['lib/sampler.test.ts', 'scores without a choice are an error'],
      ),
      row('`temperature: 0`', 'different', 'greedy; transformers refuses it', [
        'lib/generate-options.test.ts',
        'what follows from which options: greedy or sampling',
      ]),
      row(
        'presence and frequency penalties, logit bias, DRY',
        'more',
        'not of transformers, off by default; they come after its processors and before temperature',
        ['lib/sampler.test.ts', 'DRY penalizes what would extend a repetition'],
      ),
      row('a processor of your own', 'identical', 'its place in the order, and what it is given', [
        'integration/concurrency.test.ts',
        'a step in JavaScript holds up nobody else',
      ]),
    ],
  },
  {
    title: 'Ends',
    rows: [
      row('eos, one or several', 'identical', 'the eos stays in the ids', [
        'lib/model.test.ts',
        "the checkpoint's eos ends a generation unless told otherwise",
      ]),
      row(
        'stop strings',
        'different',
        'found wherever they lie across tokens, as there; the text ends before the stop string, so that a consumer never shows it, and ids from its start on are not delivered',
        ['lib/decode-stream.test.ts', 'never lets a beginning of a stop string through'],
      ),
      row(
        'default length',
        'different',
        '256 new tokens for `generate`, what fits for `chat`; there 20 in all',
        ['lib/model.test.ts', 'a default number of new tokens that does not fit becomes what fits'],
      ),
      row(
        'beyond the context',
        'different',
        'an error before anything is computed, unless `contextOverflow` drops what is oldest. The context is that of the checkpoint unless `contextLength` says more, with a warning; positions then go on as in transformers, which only warns',
        ['lib/generate-options.test.ts', 'a prompt that does not fit is ERR_NEOX_CONTEXT_FULL'],
      ),
      row(
        'settings of generation_config.json and of the model cards',
        'different',
        "for `chat`, and for `generate` with `preset: 'card'`; transformers takes the file always, so that a call depends on what it does not say",
        ['lib/model.test.ts', 'come from generation_config.json, for chat and preset alone'],
      ),
    ],
  },
  {
    title: 'Streaming',
    rows: [
      row(
        'chunks',
        'different',
        'they join to `decode(new ids)`, and nothing is kept back but what may still change. `TextStreamer` waits for a space or a CJK ideograph, which a Japanese sentence of kana does not have, and what it prints need not be what decode gives',
        ['lib/decode-stream.test.ts', 'any ids, in any chunks, give the text of all at once'],
      ),
      row(
        'the text of a pipeline',
        'identical',
        "`text: 'continuation'`: decode(prompt + new) behind decode(prompt), leading spaces kept",
        ['lib/decode-stream.test.ts', 'a continuation is what decode(prompt + ids) has after decode(prompt)'],
      ),
    ],
  },
  {
    title: 'Sessions and company',
    rows: [
      row(
        'a session over several calls',
        'identical',
        'what one call with the whole text gives; there, `past_key_values` are handed from call to call',
        ['lib/session.test.ts', 'generate appends, and two calls give what one gives'],
      ),
      row(
        'truncate, fork, save and restore',
        'more',
        'what follows is bit for bit what would have followed without',
        ['lib/saved-session.test.ts', 'a restored session goes on bit for bit'],
      ),
      row(
        'a prompt that begins as the session does (`replace`)',
        'more',
        'only what is new is computed, and the answer is that of the whole prompt',
        ['lib/overflow.test.ts', 'keeps what both begin with, and gives what the new prompt gives'],
      ),
      row("`contextOverflow: 'truncateLeft'`", 'more', 'what the shorter prompt gives', [
        'lib/overflow.test.ts',
        'gives what the shorter prompt gives',
      ]),
      row(
        "`contextOverflow: 'shift'`",
        'more',
        'the oldest tokens go while generating, and the cached keys of the rest are turned to their new positions. They still know of what went, so ids are not those of the rest as a prompt; up to the first shift nothing differs',
        ['lib/overflow.test.ts', 'up to the first shift nothing differs'],
      ),
      row(
        'several calls in one pass',
        'more',
        'each gives the ids that it gives alone. A padded batch there rounds otherwise than a single row does',
        ['integration/concurrency.test.ts', 'concurrent calls give the ids that each gives alone'],
      ),
    ],
  },
];
