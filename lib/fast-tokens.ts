// Special tokens of a fast tokenizer: what transformers 4.57.6 adds to those of tokenizer.json. Sources:
// tokenization_utils_fast.py (__init__), tokenization_utils_base.py (_from_pretrained), tokenization_gpt_neox_fast.py.

import type { AddedVocabulary } from './added-vocabulary.js';
import { NeoxError } from './errors.js';
import {
  type AddedToken,
  addedTokensDecoder,
  contentOf,
  extraSpecialTokens,
  type Given,
  type JsonObject,
  NAMED,
  optionalBoolean,
  plain,
  readToken,
  tokenList,
  wrong,
} from './tokenizer-config.js';

export interface FastTokens {
  /** Contents of bos, eos, ..., where there is one. */
  named: ReadonlyMap<string, string>;
  /** Contents of the named and the additional special tokens. */
  special: readonly string[];
  /** What stands around a text instead of the post-processor's template. */
  template: { before: string[]; after: string[] } | undefined;
}

// What the classes that read byte-level BPE take for missing names.
const DEFAULTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  GPTNeoXTokenizer: {
    bos_token: '<|endoftext|>',
    eos_token: '<|endoftext|>',
    unk_token: '<|endoftext|>',
  },
  GPT2Tokenizer: { bos_token: '<|endoftext|>', eos_token: '<|endoftext|>', unk_token: '<|endoftext|>' },
  PreTrainedTokenizer: {},
};

/**
 * Adds the config's tokens to `vocabulary`, which has those of tokenizer.json.
 * @param padToken - of tokenizer.json's `padding`
 * @throws FormatError; `ERR_NEOX_UNSUPPORTED` for another `tokenizer_class`
 */
export function addConfigTokens(
  vocabulary: AddedVocabulary,
  config: JsonObject,
  padToken: string | undefined,
): FastTokens {
  const tokenizerClass = config.tokenizer_class ?? 'GPTNeoXTokenizer';
  if (typeof tokenizerClass !== 'string') throw wrong('tokenizer_class', 'a string');
  const className = tokenizerClass.replace(/Fast$/, '');
  const defaults = Object.hasOwn(DEFAULTS, className) ? DEFAULTS[className] : undefined;
  if (defaults === undefined) {
    throw new NeoxError(
      'ERR_NEOX_UNSUPPORTED',
      `tokenizer_config.json: the tokenizer_class '${className.slice(0, 60)}' is not supported for a tokenizer.json.`,
    );
  }
  const isNeox = className === 'GPTNeoXTokenizer';
  const given = addedTokensDecoder(config);
  const known = new Map(
    [...(config.added_tokens_decoder === undefined ? vocabulary.tokens : given).values()].map((token) => [
      token.content,
      token,
    ]),
  );
  const named = new Map<string, Given>();
  for (const name of NAMED) {
    const fallback = defaults[name] ?? (name === 'pad_token' && !isNeox ? padToken : undefined);
    const value = config[name] === undefined ? fallback : config[name];
    if (value === undefined || value === null) continue;
    const token = readToken(name, value);
    named.set(name, config[name] === undefined ? token : (known.get(contentOf(token)) ?? token));
  }
  const specials = new Map<string, Given>();
  const additional = tokenList(config, 'additional_special_tokens');
  for (const token of [...named.values(), ...additional, ...extraSpecialTokens(config)]) {
    if (!specials.has(contentOf(token))) specials.set(contentOf(token), token);
  }
  vocabulary.add(missingTokens(vocabulary, [...given.values()], specials));
  const names = new Map([...named].map(([name, token]) => [name, contentOf(token)]));
  return {
    named: names,
    special: [...specials.keys()],
    template: isNeox ? template(config, names) : undefined,
  };
}

// Tokens of the config whose flags differ from those that are there, and special tokens that are not there.
function missingTokens(
  vocabulary: AddedVocabulary,
  given: readonly AddedToken[],
  specials: ReadonlyMap<string, Given>,
): AddedToken[] {
  const present = new Set([...vocabulary.tokens.values()].map(flagsOf));
  const missing: Given[] = given.filter((token) => !present.has(flagsOf(token)));
  const contents = new Set([...vocabulary.tokens.values(), ...missing].map(contentOf));
  const flags = new Set(missing.map((token) => (typeof token === 'string' ? '' : flagsOf(token))));
  for (const token of specials.values()) {
    const isThere = typeof token === 'string' ? contents.has(token) : flags.has(flagsOf(token));
    if (!isThere) missing.push(token);
  }
  return missing.map((token) =>
    typeof token === 'string'
      ? plain(token)
      : { ...token, special: token.special || specials.has(token.content) },
  );
}

function flagsOf(token: AddedToken): string {
  const { content, special, lstrip, rstrip, singleWord, normalized = !special } = token;
  return JSON.stringify([content, special, lstrip, rstrip, singleWord, normalized]);
}

function template(config: JsonObject, named: ReadonlyMap<string, string>): FastTokens['template'] {
  const token = (flag: string, name: string): string[] => {
    if (!optionalBoolean(config, flag, false)) return [];
    const content = named.get(name);
    if (content === undefined) throw wrong(flag, `false without a ${name}`);
    return [content];
  };
  return { before: token('add_bos_token', 'bos_token'), after: token('add_eos_token', 'eos_token') };
}
