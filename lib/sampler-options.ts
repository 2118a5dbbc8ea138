// Sampling options: checked, completed by defaults, and turned into what the engine takes.

import { ArgumentError } from './errors.js';
import type { NativeSamplerOptions } from './native.js';
import type { SamplerOptions } from './types.js';
import {
  assertBoolean,
  assertInteger,
  assertNumber,
  assertObject,
  assertText,
  MAX_TOKEN_ID,
  unexpected,
} from './validate.js';

const MAX_SEED = Number.MAX_SAFE_INTEGER;
/** Far above any score, far below the largest f32. */
const MAX_SCORE = 1e30;

type Check = (name: string, value: unknown) => void;

const integer: Check = (name, value) => assertInteger(name, value, 0, MAX_TOKEN_ID);
const probability: Check = (name, value) => assertNumber(name, value, 0, 1);
const cutoff: Check = (name, value) => {
  assertNumber(name, value, 0, 1);
  if (value === 1) throw unexpected('a number from 0 to below 1', name, value);
};
const mass: Check = (name, value) => {
  assertNumber(name, value, 0, 1);
  if (value === 0) throw unexpected('a number above 0, at most 1', name, value);
};
const ids: Check = (name, value) => {
  if (!Array.isArray(value)) throw unexpected('a list of token ids', name, value);
  value.forEach((id, index) => {
    assertInteger(`${name}[${index}]`, id, 0, MAX_TOKEN_ID);
  });
};
const word: Check = (name, value) => {
  ids(name, value);
  if ((value as unknown[]).length === 0) throw unexpected('at least one token id', name, value);
};
const words: Check = (name, value) => {
  if (!Array.isArray(value)) throw unexpected('a list of lists of token ids', name, value);
  for (const [index, each] of value.entries()) word(`${name}[${index}]`, each);
};
const score: Check = (name, value) => assertNumber(name, value, -MAX_SCORE, MAX_SCORE);
const oneOrMoreIds: Check = (name, value) => (Array.isArray(value) ? ids(name, value) : integer(name, value));

const CHECKS: { readonly [K in keyof Required<SamplerOptions>]: Check } = {
  doSample: assertBoolean,
  temperature: (name, value) => assertNumber(name, value, 0),
  topK: integer,
  topP: mass,
  minP: probability,
  typicalP: mass,
  epsilonCutoff: cutoff,
  etaCutoff: cutoff,
  repetitionPenalty: (name, value) => {
    assertNumber(name, value, 0);
    if (value === 0) throw unexpected('a number above 0', name, value);
  },
  noRepeatNgramSize: integer,
  badWordsIds: words,
  sequenceBias: (name, value) => {
    if (!Array.isArray(value)) throw unexpected('a list of [ids, bias]', name, value);
    value.forEach((entry, index) => {
      if (!Array.isArray(entry) || entry.length !== 2)
        throw unexpected('[ids, bias]', `${name}[${index}]`, entry);
      word(`${name}[${index}][0]`, entry[0]);
      assertNumber(`${name}[${index}][1]`, entry[1]);
    });
  },
  minLength: integer,
  minNewTokens: integer,
  forcedBosTokenId: integer,
  forcedEosTokenId: oneOrMoreIds,
  exponentialDecayLengthPenalty: (name, value) => {
    if (!Array.isArray(value) || value.length !== 2) throw unexpected('[start, factor]', name, value);
    integer(`${name}[0]`, value[0]);
    assertNumber(`${name}[1]`, value[1], 0);
  },
  suppressTokens: ids,
  beginSuppressTokens: ids,
  renormalizeLogits: assertBoolean,
  eosTokenId: (name, value) => (value === null ? undefined : oneOrMoreIds(name, value)),
  presencePenalty: score,
  frequencyPenalty: score,
  logitBias: (name, value) => {
    for (const [id, bias] of biasEntries(name, value)) {
      if (typeof id === 'string' && !/^\d+$/.test(id)) throw unexpected('token ids as keys', name, id);
      integer(`${name}'s key`, typeof id === 'string' ? Number(id) : id);
      score(`${name}[${id}]`, bias);
    }
  },
  dryMultiplier: (name, value) => assertNumber(name, value, 0),
  dryBase: (name, value) => assertNumber(name, value, 1),
  dryAllowedLength: (name, value) => assertInteger(name, value, 1, MAX_TOKEN_ID),
  dryRange: integer,
  drySequenceBreakers: (name, value) => {
    if (!Array.isArray(value)) throw unexpected('a list of texts or lists of token ids', name, value);
    for (const [index, breaker] of value.entries()) {
      const own = `${name}[${index}]`;
      if (typeof breaker !== 'string') {
        word(own, breaker);
        continue;
      }
      assertText(own, breaker);
      if (breaker === '') throw unexpected('text that is not empty', own, breaker);
    }
  },
  seed: (name, value) => assertInteger(name, value, 0, MAX_SEED),
};

export const SAMPLER_OPTIONS = Object.keys(CHECKS) as (keyof SamplerOptions)[];

// Setting one of these is asking for sampling, unless it is set to what switches it off.
const SAMPLING_OPTIONS = { topK: 0, topP: 1, minP: 0, typicalP: 1, epsilonCutoff: 0, etaCutoff: 0 } as const;

/**
 * One value by itself.
 * @param name - what the caller calls the option
 * @throws ArgumentError
 */
export function checkSamplerValue(option: keyof SamplerOptions, value: unknown, name: string = option): void {
  CHECKS[option](name, value);
}

/** @throws ArgumentError for a value of the wrong type or outside its range, and for `temperature: 0` beside sampling. */
export function checkSamplerOptions(options: SamplerOptions): void {
  for (const name of SAMPLER_OPTIONS) {
    if (options[name] !== undefined) checkSamplerValue(name, options[name]);
  }
  if (options.temperature !== 0) return;
  const sampling = options.doSample ? 'doSample' : samplingOption(options);
  if (sampling === undefined) return;
  throw new ArgumentError(
    `\`temperature: 0\` is greedy and cannot stand beside \`${sampling}: ${options[sampling]}\`.`,
  );
}

// What passes as it is, sampling or not.
const NUMBERS = [
  ...(['repetitionPenalty', 'noRepeatNgramSize', 'minLength', 'minNewTokens'] as const),
  ...(['presencePenalty', 'frequencyPenalty'] as const),
  ...(['dryMultiplier', 'dryBase', 'dryAllowedLength', 'dryRange'] as const),
];

/** Own options over defaults, each value of both checked. The seed is drawn if sampling needs one. */
export function resolveSampler(
  own: SamplerOptions,
  defaults: SamplerOptions,
  eosTokenIds: readonly number[],
): NativeSamplerOptions & { doSample: boolean; seed: number; eosTokenId: Int32Array } {
  const doSample = wantsSampling(own) ?? wantsSampling(defaults) ?? false;
  const all: SamplerOptions = { ...defined(defaults), ...defined(own) };
  const eos = all.eosTokenId === undefined ? eosTokenIds : listOf(all.eosTokenId);
  const result: ReturnType<typeof resolveSampler> = {
    doSample,
    seed: all.seed ?? (doSample ? randomSeed() : 0),
    eosTokenId: Int32Array.from(eos),
  };
  if (doSample) {
    result.temperature = all.temperature || 1;
    result.topK = all.topK ?? 50;
    for (const name of ['topP', 'minP', 'typicalP', 'epsilonCutoff', 'etaCutoff'] as const) {
      if (all[name] !== undefined) result[name] = all[name];
    }
  }
  for (const name of NUMBERS) {
    if (all[name] !== undefined) result[name] = all[name];
  }
  for (const name of ['suppressTokens', 'beginSuppressTokens'] as const) {
    if (all[name] !== undefined) result[name] = Int32Array.from(all[name]);
  }
  if (all.forcedBosTokenId !== undefined) result.forcedBosTokenId = all.forcedBosTokenId;
  if (all.forcedEosTokenId !== undefined)
    result.forcedEosTokenId = Int32Array.from(listOf(all.forcedEosTokenId));
  if (all.renormalizeLogits !== undefined) result.renormalizeLogits = all.renormalizeLogits;
  if (all.badWordsIds) result.badWordsIds = all.badWordsIds.map((word) => Int32Array.from(word));
  if (all.sequenceBias) {
    result.sequenceBias = all.sequenceBias.map(([word, bias]) => ({ ids: Int32Array.from(word), bias }));
  }
  if (all.exponentialDecayLengthPenalty) {
    const [start, factor] = all.exponentialDecayLengthPenalty;
    result.exponentialDecayLengthPenalty = { start, factor };
  }
  if (all.logitBias) {
    result.logitBias = biasEntries('logitBias', all.logitBias).map(([id, bias]) => ({
      id: Number(id),
      bias,
    }));
  }
  return result;
}

// undefined: the options leave it open.
function wantsSampling(options: SamplerOptions): boolean | undefined {
  if (options.doSample !== undefined) return options.doSample;
  if (options.temperature === 0) return false;
  if (options.temperature !== undefined || samplingOption(options) !== undefined) return true;
  return undefined;
}

function samplingOption(options: SamplerOptions): keyof typeof SAMPLING_OPTIONS | undefined {
  const names = Object.keys(SAMPLING_OPTIONS) as (keyof typeof SAMPLING_OPTIONS)[];
  return names.find((name) => options[name] !== undefined && options[name] !== SAMPLING_OPTIONS[name]);
}

// A Map of whatever realm, or an object.
function biasEntries(name: string, value: unknown): [number | string, number][] {
  assertObject(name, value);
  const isMap = Object.prototype.toString.call(value) === '[object Map]';
  return isMap
    ? [...(value as unknown as Map<number, number>)]
    : (Object.entries(value) as [string, number][]);
}

function listOf(id: number | readonly number[] | null): readonly number[] {
  if (id === null) return [];
  return typeof id === 'number' ? [id] : id;
}

function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

/** 53 bits. */
function randomSeed(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (high & 0x1fffff) * 2 ** 32 + low;
}
