// tokenizer_config.json, and the two files beside it in which older checkpoints keep special tokens, as from_pretrained of
// transformers 4.57.6 puts them together (tokenization_utils_base.py). What it means, each kind of tokenizer decides.

import { FormatError } from './errors.js';

/** Texts of the files; empty where there is none. */
export interface ConfigFiles {
  /** tokenizer_config.json */
  config: string;
  /** special_tokens_map.json */
  specialTokensMap?: string;
  /** added_tokens.json */
  addedTokens?: string;
}

export interface AddedToken {
  readonly content: string;
  readonly special: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly singleWord: boolean;
  /** Whether it is looked for in normalized text; absent, unless it is special. */
  readonly normalized?: boolean;
}

/** A token of the config: text, or text with flags, which then count as given. */
export type Given = string | AddedToken;

export type JsonObject = Record<string, unknown>;

export const NAMED: readonly string[] = [
  ...['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'],
];

/** @throws FormatError naming the file and the key that is wrong */
export function readConfigFiles(files: ConfigFiles): JsonObject {
  const config = parseObject(files.config || '{}', 'tokenizer_config.json');
  if (config.added_tokens_decoder !== undefined) return config;
  if (files.specialTokensMap) addSpecialTokensMap(config, files.specialTokensMap);
  if (files.addedTokens) config.added_tokens_decoder = oldAddedTokens(config, files.addedTokens);
  return config;
}

function addSpecialTokensMap(config: JsonObject, json: string): void {
  const asSpecial = (value: unknown): unknown => (isObject(value) ? { ...value, special: true } : value);
  for (const [key, value] of Object.entries(parseObject(json, 'special_tokens_map.json'))) {
    if (key !== 'additional_special_tokens' || !Array.isArray(value)) {
      config[key] = asSpecial(value);
      continue;
    }
    const given = config[key] ?? [];
    if (!Array.isArray(given)) throw wrong(key, 'a list');
    const all = [...given];
    for (const token of value.map(asSpecial)) if (!all.includes(token)) all.push(token);
    config[key] = all;
  }
}

function oldAddedTokens(config: JsonObject, json: string): JsonObject {
  const additional = config.additional_special_tokens ?? [];
  if (!Array.isArray(additional)) throw wrong('additional_special_tokens', 'a list');
  const named = NAMED.map((name) => config[name] ?? null).filter((value) => value !== null);
  const specials = [...named, ...additional].map((value) => contentOf(readToken('a special token', value)));
  const decoder: JsonObject = Object.create(null);
  for (const [content, id] of Object.entries(parseObject(json, 'added_tokens.json'))) {
    if (typeof id !== 'number') throw wrong(`'${content.slice(0, 40)}'`, 'an id', 'added_tokens.json');
    const special = specials.includes(content);
    decoder[String(id)] = { content, special, normalized: !special };
  }
  return decoder;
}

/** `added_tokens_decoder`: tokens by id, ascending. */
export function addedTokensDecoder(config: JsonObject): Map<number, AddedToken> {
  const tokens = new Map<number, AddedToken>();
  const decoder = config.added_tokens_decoder ?? {};
  if (!isObject(decoder)) throw wrong('added_tokens_decoder', 'an object');
  for (const [key, value] of Object.entries(decoder)) {
    const token = readToken(`added_tokens_decoder.${key}`, value);
    if (!/^\d{1,9}$/.test(key) || typeof token === 'string')
      throw wrong('added_tokens_decoder', 'tokens by id');
    tokens.set(Number(key), token);
  }
  return tokens;
}

export function extraSpecialTokens(config: JsonObject): Given[] {
  const extra = config.extra_special_tokens ?? {};
  if (!isObject(extra)) throw wrong('extra_special_tokens', 'an object');
  return Object.entries(extra).map(([key, value]) => readToken(`extra_special_tokens.${key}`, value));
}

/** A list of tokens; empty where the config has none. */
export function tokenList(config: JsonObject, key: string): Given[] {
  const listed = config[key] ?? [];
  if (!Array.isArray(listed)) throw wrong(key, 'a list');
  return listed.map((token) => readToken(key, token));
}

export function readToken(key: string, value: unknown): Given {
  if (typeof value === 'string') return value;
  if (!isObject(value) || typeof value.content !== 'string')
    throw wrong(key, 'a string or a token with content');
  return {
    content: value.content,
    special: value.special === true,
    lstrip: value.lstrip === true,
    rstrip: value.rstrip === true,
    singleWord: value.single_word === true,
    ...(typeof value.normalized === 'boolean' ? { normalized: value.normalized } : {}),
  };
}

export function plain(content: string): AddedToken {
  return { content, special: true, lstrip: false, rstrip: false, singleWord: false };
}

export function contentOf(token: Given): string {
  return typeof token === 'string' ? token : token.content;
}

export function optionalBoolean(config: JsonObject, key: string, fallback: boolean): boolean {
  const value = config[key] ?? fallback;
  if (typeof value !== 'boolean') throw wrong(key, 'a boolean');
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object that a file holds, without a prototype. */
export function parseObject(json: string, file: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FormatError('ERR_NEOX_FORMAT_SYNTAX', `${file} is not JSON: ${reason}.`);
  }
  if (!isObject(value)) throw wrong('its root', 'an object', file);
  return Object.assign(Object.create(null), value);
}

export function wrong(key: string, expected: string, file = 'tokenizer_config.json'): FormatError {
  return new FormatError('ERR_NEOX_FORMAT_VALUE', `${file}: ${key} must be ${expected}.`);
}
