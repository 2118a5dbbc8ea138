// generation_config.json as defaults of generation.

import { BEAM_OPTIONS, checkBeamValue } from './beam-options.js';
import { FormatError, NeoxError } from './errors.js';
import { checkNewTokens } from './generate-options.js';
import { checkSamplerValue } from './sampler-options.js';
import type { GenerateOptions, SamplerOptions } from './types.js';

// How many sequences there shall be is for the caller to say.
type BeamDefaults = Pick<GenerateOptions, 'numBeams' | 'lengthPenalty' | 'earlyStopping'>;
type Defaults = SamplerOptions & BeamDefaults & { maxNewTokens?: number };

// Named beside no `do_sample`, these do nothing: the latter is false by default.
const SAMPLING_KEYS: Readonly<Record<string, keyof Defaults>> = {
  temperature: 'temperature',
  top_k: 'topK',
  top_p: 'topP',
  min_p: 'minP',
  typical_p: 'typicalP',
  epsilon_cutoff: 'epsilonCutoff',
  eta_cutoff: 'etaCutoff',
};
const KEYS: Readonly<Record<string, keyof Defaults>> = {
  do_sample: 'doSample',
  ...SAMPLING_KEYS,
  repetition_penalty: 'repetitionPenalty',
  no_repeat_ngram_size: 'noRepeatNgramSize',
  bad_words_ids: 'badWordsIds',
  sequence_bias: 'sequenceBias',
  min_length: 'minLength',
  min_new_tokens: 'minNewTokens',
  max_new_tokens: 'maxNewTokens',
  forced_bos_token_id: 'forcedBosTokenId',
  forced_eos_token_id: 'forcedEosTokenId',
  exponential_decay_length_penalty: 'exponentialDecayLengthPenalty',
  suppress_tokens: 'suppressTokens',
  begin_suppress_tokens: 'beginSuppressTokens',
  renormalize_logits: 'renormalizeLogits',
  num_beams: 'numBeams',
  length_penalty: 'lengthPenalty',
  early_stopping: 'earlyStopping',
};
// What a call may not say, and files do: both leave nothing to draw from but the most likely token ...
const GREEDY: Readonly<Record<string, unknown>> = { temperature: 0, top_p: 0 };
// ... and these say nothing at all.
const NOTHING: Readonly<Record<string, unknown>> = {
  typical_p: 0,
  epsilon_cutoff: 1,
  eta_cutoff: 1,
  repetition_penalty: 0,
  max_new_tokens: 0,
};

export interface GenerationConfig {
  /** Empty where the file says nothing about generation, as one made from config.json alone. */
  defaults: Defaults;
  /** Undefined: the file does not say. */
  eosTokenIds: number[] | undefined;
}

/**
 * Each value is checked by itself: what a file combines is no contradiction, as it is none to Hugging Face.
 * @param json - the file's text; empty for none
 * @throws FormatError
 */
export function readGenerationConfig(json: string): GenerationConfig {
  if (json === '') return { defaults: {}, eosTokenIds: undefined };
  const file = parse(json);
  const given = (key: string): unknown => (Object.hasOwn(file, key) ? (file[key] ?? undefined) : undefined);
  const defaults: Record<string, unknown> = {};
  const eos = given('eos_token_id');
  let isGreedy = given('do_sample') === undefined;
  let isSampling = false;
  try {
    for (const [key, name] of Object.entries(KEYS)) {
      const value = given(key);
      if (value === undefined || value === NOTHING[key]) continue;
      isSampling ||= Object.hasOwn(SAMPLING_KEYS, key);
      if (value === GREEDY[key]) {
        isGreedy = true;
        continue;
      }
      if (name === 'maxNewTokens') checkNewTokens(key, value);
      else if (isBeamOption(name)) checkBeamValue(name, value, key);
      else checkSamplerValue(name, value, key);
      defaults[name] = value;
    }
    if (eos !== undefined) checkSamplerValue('eosTokenId', eos, 'eos_token_id');
  } catch (error) {
    if (!(error instanceof NeoxError)) throw error;
    throw new FormatError('ERR_NEOX_FORMAT_VALUE', `generation_config.json: ${error.message}`);
  }
  if (isSampling && isGreedy) defaults.doSample = false;
  return { defaults, eosTokenIds: eos === undefined ? undefined : [eos as number | number[]].flat() };
}

function isBeamOption(name: keyof Defaults): name is keyof BeamDefaults {
  return (BEAM_OPTIONS as readonly string[]).includes(name);
}

function parse(json: string): Record<string, unknown> {
  let file: unknown;
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
  return file as Record<string, unknown>;
}
