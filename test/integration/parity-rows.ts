// What docs/parity.md says in words, feature by feature. Every row names the test that shows it, by file and title.

export interface Row {
  feature: string;
  /** `identical`: ids, strings or kept sets; `within`: numbers, up to rounding. */
  standing: 'identical' | 'within 1e-4' | 'different' | 'more' | 'absent';
  /** What is compared; where it is not the same, why. */
  text: string;
  /** File below test/, and a title in it. A row about an absence has none. */
  shown?: readonly [file: string, title: string];
}

export interface Section {
  title: string;
  rows: readonly Row[];
}

const row = (
  feature: string,
  standing: Row['standing'],
  text: string,
  shown?: readonly [string, string],
): Row => ({ feature, standing, text, ...(shown ? { shown } : {}) });

const SPIECE = [
  'integration/spiece-golden.test.ts',
  'tokens, ids and text are those of the slow T5Tokenizer',
] as const;
const GREEDY = [
  'integration/generation-parity.test.ts',
  'the cases are five prompts of each checkpoint',
] as const;

export const SECTIONS: readonly Section[] = [
  {
    title: 'Tokenizer',
    rows: [
      row(
        'encode, tokenize',
        'identical',
        "sentencepiece 0.2.1 behind transformers' rules: special tokens in the text, the trie's longest match, added tokens with their strip flags, `extra_ids`, `legacy: false`, `add_special_tokens`, `split_special_tokens`",
        SPIECE,
      ),
      row(
        'decode',
        'identical',
        "`skip_special_tokens`, `clean_up_tokenization_spaces`, `spaces_between_special_tokens`, Python's `strip()`, one U+FFFD for each byte that is no UTF-8",
        SPIECE,
      ),
      row('byte-level BPE', 'identical', 'GPTNeoXTokenizerFast of the sibling families', [
        'lib/bpe-tokenizer.golden.test.ts',
        'strings',
      ]),
      row(
        'the same from GGUF',
        'identical',
        'a converted file carries spiece.model or tokenizer.json byte for byte',
        ['integration/tokenizers.test.ts', 'a converted file has the ids of its directory'],
      ),
      row(
        'lone surrogates',
        'different',
        'an error: what Python does with them depends on where they stand, and no text of a user has them on purpose',
        ['lib/tokenizer.test.ts', 'refuses half of a surrogate pair'],
      ),
      row(
        'padding, truncation, pairs of texts, tensors',
        'absent',
        'ids are arrays of numbers, and a prompt is one sequence',
      ),
    ],
  },
  {
    title: 'Chat prompts',
    rows: [
      row(
        'the conversations of the model cards',
        'identical',
        'the prompt letter by letter, its ids, and `<NL>` as a line break in the answer ([chat.md](chat.md))',
        ['integration/chat-cards.test.ts', 'the ids are those of the slow T5Tokenizer'],
      ),
      row(
        '`apply_chat_template`',
        'different',
        'a template is a program of the file; formats here are data. `convert` writes the template of a format for other programs, and jinja2 renders it to the same prompt',
        ['integration/chat-template.test.ts', 'convert writes the template of the format'],
      ),
      row(
        'special tokens in a message',
        'different',
        "a user's literal `</s>` is text (`split_special_tokens`); the cards' own code makes it an end",
        ['lib/session.test.ts', "a user's special tokens are text"],
      ),
    ],
  },
  {
    title: 'Forward pass',
    rows: [
      row(
        'logits, hidden states, log-probabilities',
        'within 1e-4',
        "of the largest, in float32 (`precision: 'exact'`); the table below has what is measured",
        ['integration/golden.test.ts', 'logits are within 1e-4 of the largest'],
      ),
      row(
        'linear and dynamic RoPE scaling, also beyond the trained context',
        'within 1e-4',
        'in every spelling of config.json',
        [
          'integration/golden.test.ts',
          'a prompt beyond the trained context continues with the same greedy ids',
        ],
      ),
      row(
        '`inputs_embeds`, alone and between ids',
        'within 1e-4',
        'a prompt of several segments is what the concatenated embeddings are there',
        ['integration/mixed-prompts.test.ts', 'logits and hidden states of chosen positions'],
      ),
      row(
        'precision `high` and `fast`, quantized weights',
        'different',
        'faster arithmetic and smaller weights, with losses that are measured: [quantization.md](quantization.md)',
        ['integration/models-table.test.ts', 'docs/models.md has the table of what was tried'],
      ),
      row(
        'attention masks, left padding',
        'absent',
        'several sequences run together without being padded to one length, so that there is nothing to mask. A pad id in a prompt is a token like any other; transformers masks it where no mask is given',
      ),
      row('attention weights, gradients', 'absent', 'the engine is for inference, and keeps neither'),
    ],
  },
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
        "the same distribution, other draws: torch's come from one stream of its generator, whose place depends on everything drawn before. Here a draw is keyed by seed, output and position, so the same logits give the same ids on every machine, in any company",
        ['lib/sampler.test.ts', 'a draw follows from seed, number of ids and scores'],
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
        'an error before anything is computed. The context is that of the checkpoint unless `contextLength` says more, with a warning; positions then go on as in transformers, which only warns',
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
        'several calls in one pass',
        'more',
        'each gives the ids that it gives alone. A padded batch there rounds otherwise than a single row does',
        ['integration/concurrency.test.ts', 'concurrent calls give the ids that each gives alone'],
      ),
    ],
  },
];

/** What the figures of test/fixtures/parity are of, and the test that finds them. */
export const COMPARISONS: Readonly<Record<string, { title: string; test: string }>> = {
  generation: {
    title: 'random prompts under random settings, on every checkpoint',
    test: 'integration/generation-differential.test.ts',
  },
  'logits-processors': {
    title: 'random rows of scores through each logits processor, and through random combinations',
    test: 'integration/logits-processors.test.ts',
  },
  sampling: {
    title: 'drawn tokens against the probabilities (chi-square)',
    test: 'integration/sampling.test.ts',
  },
  tokenizer: {
    title: 'random texts and random ids through tokenizers of every shape',
    test: 'integration/spiece-cases.test.ts',
  },
};
