// What docs/parity.md says in words, feature by feature. Every row names the test that shows it, by file and title.

import { GENERATION } from './parity-generation-rows.js';
import { row, type Section } from './parity-row.js';

const SPIECE = [
  'integration/spiece-golden.test.ts',
  'tokens, ids and text are those of the slow T5Tokenizer',
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
      row(
        '`kvCacheType` `f16`, `q8_0`',
        'different',
        'smaller keys and values, for less memory and faster reading; `f32` is the default under `exact`, and what this page is about',
        ['lib/model.test.ts', 'a KV cache of %s takes its bytes and gives every position'],
      ),
      row(
        'NaN on the way',
        'different',
        'an error that names the layer where it first shows; transformers goes on, and takes id 0 when greedy',
        ['integration/nan.test.ts', 'other sequences are untouched, and the session goes on'],
      ),
      row('attention weights, gradients', 'absent', 'the engine is for inference, and keeps neither'),
    ],
  },
  ...GENERATION,
];

/** What the figures of test/fixtures/parity are of, and the test that finds them. */
export const COMPARISONS: Readonly<Record<string, { title: string; test: string }>> = {
  generation: {
    title: 'random prompts under random settings, on every checkpoint',
    test: 'integration/generation-differential.test.ts',
  },
  'logits-processors': {
    title:
      'random rows of scores through each logits processor and through random combinations, and settings of beam search',
    test: 'integration/logits-processors.test.ts',
  },
  sampling: {
    title: 'p-values of chi-square tests of draws, for the seeds 0 to 19 in turn (no Python needed)',
    test: 'integration/sampling.test.ts',
  },
  tokenizer: {
    title: 'random texts and random ids through tokenizers of every shape',
    test: 'integration/spiece-cases.test.ts',
  },
};
