// tokenizer.json of a byte-level BPE tokenizer. Untrusted: what is not understood is refused, so that everything behind this file
// may rely on it.

import { BYTE_CHARS, WORD_PATTERN, type WordStep } from './byte-level.js';
import { FormatError, NeoxError } from './errors.js';
import {
  type AddedToken,
  isObject,
  type JsonObject,
  parseObject,
  readToken,
  wrong as wrongIn,
} from './tokenizer-config.js';
import type { NormalizationForm } from './unicode-versions.js';

export interface TokenizerJson {
  /** Token to id, with a prototype of its own. */
  vocab: Record<string, number>;
  merges: [string, string][];
  ignoreMerges: boolean;
  forms: NormalizationForm[];
  steps: WordStep[];
  /** Whether the pre-tokenizer is a ByteLevel alone, whose `prefix` then follows tokenizer_config.json. */
  isPlain: boolean;
  addedTokens: AddedToken[];
  /** Special tokens that the post-processor puts around a text. */
  template: { before: string[]; after: string[] };
  padToken: string | undefined;
}

const FILE = 'tokenizer.json';
const MOST_TOKENS = 1_000_000;
const MOST_ADDED = 65_536;
const LONGEST_ADDED = 1024;
const FORMS: readonly string[] = ['NFC', 'NFD', 'NFKC', 'NFKD'];

/** @throws FormatError naming what is wrong; `ERR_NEOX_UNSUPPORTED` naming what is of another kind */
export function readTokenizerJson(json: string): TokenizerJson {
  const file = parseObject(json, FILE);
  const model = object('model', file.model);
  // Files of the first versions name no type.
  if ((model.type ?? 'BPE') !== 'BPE') throw unsupported('model.type', model.type);
  for (const key of ['dropout', 'continuing_subword_prefix', 'end_of_word_suffix']) {
    if (model[key]) throw unsupported(`model.${key}`, model[key]);
  }
  const decoder = object('decoder', file.decoder ?? {});
  if (decoder.type !== 'ByteLevel') throw unsupported('decoder.type', decoder.type);
  const vocab = readVocab(model.vocab);
  const steps = preTokenizer(object('pre_tokenizer', file.pre_tokenizer ?? {}));
  const padding = isObject(file.padding) ? file.padding.pad_token : undefined;
  return {
    vocab,
    merges: readMerges(model.merges, vocab),
    ignoreMerges: boolean('model.ignore_merges', model.ignore_merges),
    forms: normalizer(file.normalizer ?? null),
    steps: steps.steps,
    isPlain: steps.isPlain,
    addedTokens: readAddedTokens(file.added_tokens ?? []),
    template: postProcessor(file.post_processor ?? null),
    padToken: typeof padding === 'string' ? padding : undefined,
  };
}

function readVocab(value: unknown): Record<string, number> {
  const vocab = object('model.vocab', value);
  const ids = new Set<unknown>();
  for (const [token, id] of Object.entries(vocab)) {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= MOST_TOKENS) {
      throw wrong(`the id of '${shown(token)}'`, `an integer below ${MOST_TOKENS}`);
    }
    if (ids.has(id)) throw wrong(`the id of '${shown(token)}'`, `${id}'s only one`);
    ids.add(id);
  }
  for (const char of BYTE_CHARS) {
    if (Object.hasOwn(vocab, char)) continue;
    throw new FormatError(
      'ERR_NEOX_FORMAT_MISSING',
      `${FILE}: the vocabulary lacks '${char}', one of 256 bytes.`,
    );
  }
  return vocab as Record<string, number>;
}

function readMerges(value: unknown, vocab: Record<string, number>): [string, string][] {
  const merges = list('model.merges', value, MOST_TOKENS);
  const pairs: [string, string][] = [];
  for (const merge of merges) {
    if (typeof merge === 'string' && merge.startsWith('#version')) continue;
    const pair = typeof merge === 'string' ? merge.split(' ') : merge;
    if (!Array.isArray(pair) || pair.length !== 2 || pair.some((part) => typeof part !== 'string' || !part)) {
      throw wrong(`model.merges[${pairs.length}]`, 'two tokens');
    }
    const [left, right] = pair as [string, string];
    for (const token of [left, right, left + right]) {
      if (!Object.hasOwn(vocab, token)) {
        throw wrong(`'${shown(token)}' of model.merges[${pairs.length}]`, 'in the vocabulary');
      }
    }
    pairs.push([left, right]);
  }
  return pairs;
}

function readAddedTokens(value: unknown): AddedToken[] {
  return list('added_tokens', value, MOST_ADDED).map((entry, index) => {
    const token = readToken(`added_tokens[${index}]`, entry);
    if (typeof token === 'string') throw wrong(`added_tokens[${index}]`, 'a token with content');
    if (token.content.length > LONGEST_ADDED) {
      throw wrong(`added_tokens[${index}]`, `of at most ${LONGEST_ADDED} characters`);
    }
    return token;
  });
}

function normalizer(value: unknown): NormalizationForm[] {
  if (value === null) return [];
  const { type, normalizers } = object('normalizer', value);
  if (type === 'Sequence') {
    return list('normalizer.normalizers', normalizers, 16).flatMap((each) => {
      if (isObject(each) && each.type === 'Sequence') throw unsupported('normalizer', 'nested');
      return normalizer(each);
    });
  }
  if (!FORMS.includes(type as string)) throw unsupported('normalizer.type', type);
  return [type as NormalizationForm];
}

// Only the last step makes bytes: nothing could cut them afterwards as it would cut text.
function preTokenizer(value: JsonObject): { steps: WordStep[]; isPlain: boolean } {
  const isPlain = value.type !== 'Sequence';
  const all = isPlain ? [value] : list('pre_tokenizer.pretokenizers', value.pretokenizers, 16);
  const steps = all.flatMap((each, index): WordStep[] => {
    const { type, ...options } = object('pre_tokenizer', each);
    const isLast = index === all.length - 1;
    if (type === 'ByteLevel' && isLast) {
      const prefix = boolean('add_prefix_space', options.add_prefix_space ?? true);
      const words = boolean('use_regex', options.use_regex ?? true);
      return [...(prefix ? (['prefix'] as const) : []), ...(words ? (['words'] as const) : [])];
    }
    if (isLast) throw unsupported('the last pre_tokenizer', type);
    if (type === 'Digits') {
      return [boolean('individual_digits', options.individual_digits) ? 'digits' : 'numbers'];
    }
    if (type === 'Split' && isWordPattern(options)) return ['words'];
    throw unsupported('pre_tokenizer.type', type);
  });
  return { steps, isPlain };
}

// A pattern of the file's own could take forever.
function isWordPattern({ pattern, behavior, invert }: JsonObject): boolean {
  return (
    isObject(pattern) &&
    pattern.Regex === WORD_PATTERN &&
    behavior === 'Isolated' &&
    (invert ?? false) === false
  );
}

function postProcessor(value: unknown, depth = 0): TokenizerJson['template'] {
  if (value === null) return { before: [], after: [] };
  const { type, processors, single } = object('post_processor', value);
  if (type === 'ByteLevel') return { before: [], after: [] };
  if (type === 'Sequence' && depth === 0) {
    const all = list('post_processor.processors', processors, 16).map((each) => postProcessor(each, 1));
    return {
      before: [...all].reverse().flatMap((each) => each.before),
      after: all.flatMap((each) => each.after),
    };
  }
  if (type !== 'TemplateProcessing') throw unsupported('post_processor.type', type);
  const template: TokenizerJson['template'] = { before: [], after: [] };
  let side = template.before;
  for (const piece of list('post_processor.single', single, 64)) {
    const { Sequence, SpecialToken } = object('post_processor.single', piece);
    if (Sequence !== undefined) side = template.after;
    else {
      const { id } = object('post_processor.single', SpecialToken);
      if (typeof id !== 'string') throw wrong('post_processor.single', 'of tokens with an id');
      side.push(id);
    }
  }
  return template;
}

function object(key: string, value: unknown): JsonObject {
  if (!isObject(value)) throw wrong(key, 'an object');
  return value;
}

function list(key: string, value: unknown, most: number): unknown[] {
  if (!Array.isArray(value) || value.length > most) throw wrong(key, `a list of at most ${most}`);
  return value;
}

function boolean(key: string, value: unknown): boolean {
  if (typeof (value ?? false) !== 'boolean') throw wrong(key, 'a boolean');
  return value === true;
}

function wrong(key: string, expected: string): FormatError {
  return wrongIn(key, expected, FILE);
}

function unsupported(key: string, value: unknown): NeoxError {
  const found = typeof value === 'string' ? `'${shown(value)}'` : typeof value;
  return new NeoxError('ERR_NEOX_UNSUPPORTED', `${FILE}: ${key} is ${found}, which is not supported.`);
}

function shown(text: string): string {
  return text.length > 40 ? '...' : text;
}
