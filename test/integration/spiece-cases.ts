// Cases of scripts/fixtures/spiece_cases.py, and what a tokenizer makes of them.

import type { DecodeOptions, EncodeOptions, Tokenizer } from '../../lib/index.js';

interface StringCase {
  text: string;
  add_special_tokens?: boolean;
  split_special_tokens?: boolean;
  tokens: string[];
  ids: number[];
}

interface IdListCase {
  ids: number[];
  skip_special_tokens?: boolean;
  clean_up_tokenization_spaces?: boolean;
  spaces_between_special_tokens?: boolean;
  decoded: string;
}

/** Ids of the special tokens; null where there is none. */
export interface NamedIds {
  bos: number | null;
  eos: number | null;
  pad: number | null;
  unk: number | null;
  all: number[];
}

export type SpieceCase = StringCase | IdListCase;

export interface Difference {
  given: object;
  expected: unknown;
  actual: unknown;
}

/** Where the special tokens differ; empty where they do not. */
export function namedDifferences(tokenizer: Tokenizer, { bos, eos, pad, unk, all }: NamedIds): Difference[] {
  const { bosTokenId = null, eosTokenId = null, padTokenId = null, unkTokenId = null } = tokenizer;
  return [
    ...compare(
      { of: 'bos, eos, pad, unk' },
      [bos, eos, pad, unk],
      [bosTokenId, eosTokenId, padTokenId, unkTokenId],
    ),
    ...compare(
      { of: 'all special tokens' },
      all,
      [...new Set(tokenizer.allSpecialIds)].sort((a, b) => a - b),
    ),
  ];
}

/** Where the tokenizer differs from the case; empty where it does not. */
export function differences(tokenizer: Tokenizer, entry: SpieceCase): Difference[] {
  if ('text' in entry) return stringDifferences(tokenizer, entry);
  const { ids, decoded, ...given } = entry;
  const options: DecodeOptions = {};
  if (entry.skip_special_tokens !== undefined) options.skipSpecialTokens = entry.skip_special_tokens;
  if (entry.clean_up_tokenization_spaces !== undefined)
    options.cleanUpTokenizationSpaces = entry.clean_up_tokenization_spaces;
  if (entry.spaces_between_special_tokens !== undefined)
    options.spacesBetweenSpecialTokens = entry.spaces_between_special_tokens;
  const stream = tokenizer.createDecodeStream(options);
  const streamed = ids.map((id) => stream.push([id])).join('') + stream.flush();
  return [
    ...compare({ ids, ...given }, decoded, tokenizer.decode(ids, options)),
    ...compare({ ids, ...given, streamed: true }, decoded, streamed),
  ];
}

function stringDifferences(tokenizer: Tokenizer, entry: StringCase): Difference[] {
  const { text, tokens, ids, ...given } = entry;
  const options: EncodeOptions = {};
  if (entry.add_special_tokens !== undefined) options.addSpecialTokens = entry.add_special_tokens;
  if (entry.split_special_tokens !== undefined) options.splitSpecialTokens = entry.split_special_tokens;
  const { addSpecialTokens: _, ...split } = options;
  return [
    ...compare({ text, ...given }, tokens, tokenizer.tokenize(text, split)),
    ...compare({ text, ...given }, ids, tokenizer.encode(text, options)),
    ...compare(
      { tokens, ...given },
      ids.slice(0, tokens.length),
      tokens.map((token) => tokenizer.tokenToId(token)),
    ),
  ];
}

function compare(given: object, expected: unknown, actual: unknown): Difference[] {
  return JSON.stringify(expected) === JSON.stringify(actual) ? [] : [{ given, expected, actual }];
}
