// Every field of transformers' GenerationConfig, and what stands for it here. `fields` of test/fixtures/generation.json, which the
// reference itself wrote, must be exactly these.

/** `same`: the same meaning; `other`: another default or rule, as the text says; `none`: there is none. */
export type Standing = 'same' | 'other' | 'none';

export interface Field {
  name: string;
  /** Of GenerateOptions, where its name is not the camelCase one. */
  ours?: string;
  standing: Standing;
  text?: string;
}

const same = (name: string, text?: string): Field => ({ name, standing: 'same', ...(text ? { text } : {}) });
const other = (name: string, text: string, ours?: string): Field => ({
  name,
  standing: 'other',
  text,
  ...(ours ? { ours } : {}),
});
const none = (name: string, text: string): Field => ({ name, standing: 'none', text });

const ENCODER = 'for models with an encoder';
const MEMORY =
  'how transformers keeps and compiles things; the KV cache here is always on and has options of its own';
const OUTPUT =
  'results are objects; `logprobs`, `model.logits`, `model.hiddenStates` and `model.score` give numbers';

export const FIELDS: readonly Field[] = [
  other(
    'max_length',
    'only new tokens are counted, so that a longer prompt does not shorten the answer; there 20',
    'maxNewTokens',
  ),
  other('max_new_tokens', '256 for `generate`, what fits for `chat`; more than fits is an error'),
  same('min_length'),
  same('min_new_tokens', 'more than `maxNewTokens` is an error; there a warning'),
  other('max_time', 'looked at between passes, so where it ends is a matter of speed in both'),
  other(
    'stop_strings',
    'the text ends before the stop string; there it ends with the token that completes it',
    'stop',
  ),
  other(
    'do_sample',
    'absent, it follows from the other options of the call; a file and a card are read as they are',
  ),
  other('temperature', '0 is greedy; there it is an error'),
  same('top_k', '50 when sampling, as there; 0 keeps all'),
  same('top_p'),
  same('min_p'),
  same('typical_p'),
  same('epsilon_cutoff'),
  same('eta_cutoff'),
  same('repetition_penalty'),
  same('no_repeat_ngram_size'),
  same('bad_words_ids'),
  same('sequence_bias', 'id 0 is allowed, which the list form there refuses'),
  same('renormalize_logits'),
  same('forced_bos_token_id'),
  same('forced_eos_token_id'),
  same('exponential_decay_length_penalty'),
  same('suppress_tokens'),
  same('begin_suppress_tokens'),
  same('eos_token_id', 'one, several, or `null` for none'),
  same('num_return_sequences'),
  other(
    'prompt_lookup_num_tokens',
    'on by itself where it pays; 0 switches it off. It changes no id, when sampling neither',
  ),
  same('num_beams', 'not beside `stop` and a processor of your own'),
  same('early_stopping'),
  same('length_penalty'),
  none('num_beam_groups', 'group beam search: code of the hub, no longer part of transformers 4.57'),
  none('diversity_penalty', 'group beam search: code of the hub, no longer part of transformers 4.57'),
  none('constraints', 'constrained beam search: code of the hub, no longer part of transformers 4.57'),
  none('force_words_ids', 'constrained beam search: code of the hub, no longer part of transformers 4.57'),
  none('penalty_alpha', 'contrastive search: code of the hub, no longer part of transformers 4.57'),
  none('dola_layers', 'DoLa: code of the hub, no longer part of transformers 4.57'),
  none('guidance_scale', 'classifier-free guidance doubles the passes of a call'),
  none('watermarking_config', 'watermarks are no part of what the models were published with'),
  none('token_healing', 'it changes the prompt; a prompt here is what it is'),
  none('remove_invalid_values', 'NaN among the logits is the error `ERR_NEOX_NAN`, which hides no fault'),
  none('pad_token_id', 'sequences are never padded: no batch has to be rectangular'),
  none('bos_token_id', 'only for an empty prompt there, which is an error here'),
  none('max_matching_ngram_size', 'the longest earlier occurrence is taken, up to 32 tokens'),
  ...[
    ...['is_assistant', 'num_assistant_tokens', 'num_assistant_tokens_schedule'],
    ...[
      'assistant_confidence_threshold',
      'assistant_early_exit',
      'assistant_lookbehind',
      'target_lookbehind',
    ],
  ].map((name) =>
    none(name, 'assisted generation with a second model: none of these models has a smaller one beside it'),
  ),
  ...['encoder_repetition_penalty', 'encoder_no_repeat_ngram_size', 'decoder_start_token_id'].map((name) =>
    none(name, ENCODER),
  ),
  ...[
    ...['use_cache', 'cache_implementation', 'cache_config', 'return_legacy_cache', 'prefill_chunk_size'],
    ...['compile_config', 'disable_compile', 'low_memory'],
  ].map((name) => none(name, MEMORY)),
  ...[
    ...[
      'output_attentions',
      'output_hidden_states',
      'output_scores',
      'output_logits',
      'return_dict_in_generate',
    ],
  ].map((name) => none(name, OUTPUT)),
];

export const camelCase = (name: string): string =>
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
