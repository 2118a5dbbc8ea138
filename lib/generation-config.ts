// generation_config.json as defaults of generation.

import { FormatError, NeoxError } from './errors.js';
import { checkGenerateOptions } from './generate-options.js';
import type { GenerateOptions } from './types.js';

const KEYS: Readonly<Record<string, keyof GenerateOptions>> = {
  do_sample: 'doSample',
  temperature: 'temperature',
  top_k: 'topK',
  top_p: 'topP',
  min_p: 'minP',
  typical_p: 'typicalP',
  epsilon_cutoff: 'epsilonCutoff',
  eta_cutoff: 'etaCutoff',
  repetition_penalty: 'repetitionPenalty',
  no_repeat_ngram_size: 'noRepeatNgramSize',
  bad_words_ids: 'badWordsIds',
  min_length: 'minLength',
  min_new_tokens: 'minNewTokens',
  max_new_tokens: 'maxNewTokens',
  forced_bos_token_id: 'forcedBosTokenId',
  forced_eos_token_id: 'forcedEosTokenId',
  exponential_decay_length_penalty: 'exponentialDecayLengthPenalty',
  suppress_tokens: 'suppressTokens',
  begin_suppress_tokens: 'beginSuppressTokens',
  renormalize_logits: 'renormalizeLogits',
};

export interface GenerationConfig {
  /** Empty where the file says nothing about generation, as one made from config.json alone. */
  defaults: GenerateOptions;
  /** Undefined: the file does not say. */
  eosTokenIds: number[] | undefined;
}

/**
 * @param json - the file's text; empty for none
 * @throws FormatError
 */
export function readGenerationConfig(json: string): GenerationConfig {
  if (json === '') return { defaults: {}, eosTokenIds: undefined };
  let file: Record<string, unknown>;
  try {
    file = JSON.parse(json);
  } catch (error) {
    throw new FormatError(
      'ERR_NEOX_FORMAT_SYNTAX',
      `generation_config.json is not JSON: ${(error as Error).message}.`,
    );
  }
  if (typeof file !== 'object' || file === null || Array.isArray(file)) {
    throw new FormatError('ERR_NEOX_FORMAT_VALUE', 'generation_config.json: its root must be an object.');
  }
  const defaults: Record<string, unknown> = {};
  for (const [key, name] of Object.entries(KEYS)) {
    if (Object.hasOwn(file, key) && file[key] !== null) defaults[name] = file[key];
  }
  const eos = Object.hasOwn(file, 'eos_token_id') ? file.eos_token_id : null;
  try {
    checkGenerateOptions('generation_config.json', defaults);
    checkGenerateOptions('generation_config.json', { eosTokenId: eos as number | number[] | null });
  } catch (error) {
    if (!(error instanceof NeoxError)) throw error;
    throw new FormatError('ERR_NEOX_FORMAT_VALUE', `generation_config.json: ${error.message}`);
  }
  return { defaults, eosTokenIds: eos === null ? undefined : [eos as number | number[]].flat() };
}
