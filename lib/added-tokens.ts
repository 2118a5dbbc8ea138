// tokenizer_config.json as transformers 4.57.6 reads it for a slow T5Tokenizer: which strings are tokens of their own, which of
// them are special, and under which ids. Sources: tokenization_t5.py (__init__), tokenization_utils.py (__init__, _add_tokens).

import type { Pieces } from './pieces.js';
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
  wrong,
} from './tokenizer-config.js';

/** What tokenizer_config.json says, completed by the defaults of transformers. */
export interface TokenizerConfig {
  readonly legacy: boolean;
  readonly addPrefixSpace: boolean;
  readonly cleanUpTokenizationSpaces: boolean;
  readonly splitSpecialTokens: boolean;
  /** Contents of bos, eos, unk, sep, pad, cls, mask, where there is one. */
  readonly named: ReadonlyMap<string, string>;
  /** Every added token, by id. */
  readonly byId: ReadonlyMap<number, AddedToken>;
  readonly idOf: ReadonlyMap<string, number>;
  /** Contents of the special tokens. */
  readonly special: ReadonlySet<string>;
  /** Contents that decode() sets off with spaces. */
  readonly separated: ReadonlySet<string>;
}

const T5_DEFAULTS: Readonly<Record<string, string>> = {
  eos_token: '</s>',
  unk_token: '<unk>',
  pad_token: '<pad>',
};
// A sentinel for each of 65,536 ids would already be absurd; T5 itself has 100.
const MAX_EXTRA_IDS = 65_536;

/**
 * @param config - of `readConfigFiles`
 * @param pieces - the sentencepiece vocabulary
 * @throws FormatError naming the key that is wrong
 */
export function readTokenizerConfig(config: JsonObject, pieces: Pieces): TokenizerConfig {
  const byId = new Map<number, AddedToken>();
  const extra = extraIdTokens(config);
  for (let i = 0; i < extra.declared; i++) {
    const id = pieces.length - 1 + extra.count - i;
    byId.set(id, { ...plain(`<extra_id_${i}>`), special: true, lstrip: true, rstrip: true });
  }
  const given = addedTokensDecoder(config);
  for (const [id, token] of given) byId.set(id, token);
  const idOf = new Map([...byId].map(([id, token]) => [token.content, id]));

  const named = namedTokens(config, new Map([...given.values()].map((token) => [token.content, token])));
  const specials = new Map<string, Given>();
  for (const token of [...named.values(), ...extra.additional, ...extraSpecialTokens(config)]) {
    if (!specials.has(contentOf(token))) specials.set(contentOf(token), token);
  }
  addSpecialTokens(specials, pieces, byId, idOf);

  const separated = new Set([...idOf.keys()].filter((content) => !specials.has(content)));
  for (const token of extra.additional) {
    const content = contentOf(token);
    if ((idOf.get(content) ?? 0) >= pieces.length) separated.add(content);
  }
  return {
    legacy: optionalBoolean(config, 'legacy', true),
    addPrefixSpace: optionalBoolean(config, 'add_prefix_space', true),
    cleanUpTokenizationSpaces: optionalBoolean(config, 'clean_up_tokenization_spaces', false),
    splitSpecialTokens: optionalBoolean(config, 'split_special_tokens', false),
    named: new Map([...named].map(([name, token]) => [name, contentOf(token)])),
    byId,
    idOf,
    special: new Set(specials.keys()),
    separated,
  };
}

// Special tokens that are pieces keep their ids; the others follow the vocabulary, whose size is the number of different contents.
function addSpecialTokens(
  specials: ReadonlyMap<string, Given>,
  pieces: Pieces,
  byId: Map<number, AddedToken>,
  idOf: Map<string, number>,
): void {
  const replaced = new Set([...byId.keys()].filter((id) => id < pieces.length));
  const pieceOf = (content: string): number | undefined => {
    const id = pieces.idOf(content);
    return id === undefined || replaced.has(id) ? undefined : id;
  };
  const added = [...idOf.keys()].filter((content) => pieceOf(content) === undefined).length;
  let size = pieces.length - replaced.size + added;
  for (const [content, token] of specials) {
    // A token without flags of its own keeps those it already has.
    if (content === '' || (typeof token === 'string' && idOf.has(content))) continue;
    const id = idOf.get(content) ?? pieceOf(content) ?? size++;
    byId.set(id, { ...(typeof token === 'string' ? plain(content) : token), special: true });
    idOf.set(content, id);
  }
}

// T5 invents `extra_ids` sentinels unless the config lists some. `declared` of them get descending ids behind the vocabulary.
function extraIdTokens(config: JsonObject): { count: number; declared: number; additional: Given[] } {
  const count = config.extra_ids ?? 100;
  if (!Number.isInteger(count) || (count as number) < 0 || (count as number) > MAX_EXTRA_IDS) {
    throw wrong('extra_ids', `an integer from 0 to ${MAX_EXTRA_IDS}`);
  }
  const invented = Array.from({ length: count as number }, (_, index) => `<extra_id_${index}>`);
  const listed = config.additional_special_tokens ?? null;
  if (listed === null) return { count: invented.length, declared: invented.length, additional: invented };
  if (!Array.isArray(listed)) throw wrong('additional_special_tokens', 'a list');
  const additional = listed.map((token) => readToken('additional_special_tokens', token));
  const sentinels = additional.filter((token) => contentOf(token).includes('<extra_id_')).length;
  if (sentinels === 0) {
    return { count: invented.length, declared: 0, additional: [...additional, ...invented] };
  }
  if (invented.length > 0 && invented.length !== sentinels) {
    throw wrong('extra_ids', `${sentinels}, the number of <extra_id_...> in additional_special_tokens`);
  }
  return { count: invented.length, declared: sentinels, additional };
}

function namedTokens(config: JsonObject, known: ReadonlyMap<string, AddedToken>): Map<string, Given> {
  const named = new Map<string, Given>();
  for (const name of NAMED) {
    const value = config[name] === undefined ? T5_DEFAULTS[name] : config[name];
    if (value === undefined || value === null) continue;
    let token = readToken(name, value);
    if (config[name] !== undefined) token = known.get(contentOf(token)) ?? token;
    // T5Tokenizer turns these three into tokens with flags of their own.
    if (typeof token === 'string' && name in T5_DEFAULTS) token = plain(token);
    if (contentOf(token) !== '') named.set(name, token);
  }
  return named;
}
