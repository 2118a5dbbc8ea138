// GPTNeoXTokenizerFast of transformers 4.57.6: byte-level BPE from a tokenizer.json. The merges are those of
// @huggingface/tokenizers; around them it differs from the Rust library, so that stands here.

import { AddedVocabulary, type Range } from './added-vocabulary.js';
import { ByteDecoder, bytesToChars, cutWords, tokenBytes, type WordStep } from './byte-level.js';
import { ArgumentError } from './errors.js';
import { addConfigTokens, type FastTokens } from './fast-tokens.js';
import { type JsonObject, optionalBoolean } from './tokenizer-config.js';
import { readTokenizerJson, type TokenizerJson } from './tokenizer-json.js';
import type { IdDecoder, IdDecoderOptions, TextPart, TokenizerKind } from './tokenizer-kind.js';
import { type NormalizationForm, normalize } from './unicode-versions.js';

/** What is used of the library's BPE. */
interface Bpe {
  tokens_to_ids: Map<string, number>;
  vocab: (string | undefined)[];
  encode(words: string[]): string[];
}

interface Token {
  text: string;
  id: number;
}

// As sentencepiece's. Merging takes about 300 bytes of memory for each byte of a word.
const LONGEST_TEXT = 64 << 20;
const LONGEST_WORD = 1 << 20;

/** Immutable. */
export class BpeTokenizer implements TokenizerKind {
  readonly splitSpecialTokens: boolean;
  readonly cleanUpTokenizationSpaces: boolean;
  readonly specialIds: ReadonlySet<number>;
  readonly #bpe: Bpe;
  readonly #added: AddedVocabulary;
  readonly #tokens: FastTokens;
  readonly #forms: readonly NormalizationForm[];
  readonly #steps: readonly WordStep[];
  readonly #around: { before: Token[]; after: Token[] };
  readonly #bytes = new Map<number, Uint8Array>();

  /**
   * @param json - tokenizer.json
   * @param config - of `readConfigFiles`
   * @throws FormatError; `ERR_NEOX_UNSUPPORTED`
   */
  constructor(json: string, config: JsonObject) {
    const file = readTokenizerJson(json);
    this.splitSpecialTokens = optionalBoolean(config, 'split_special_tokens', false);
    this.cleanUpTokenizationSpaces = optionalBoolean(config, 'clean_up_tokenization_spaces', false);
    this.#forms = file.forms;
    this.#steps = stepsOf(file, config);
    const bpe = loadBpe(file);
    this.#bpe = bpe;
    this.#added = new AddedVocabulary(
      { idOf: (token) => bpe.tokens_to_ids.get(token), size: bpe.tokens_to_ids.size },
      (text) => this.#normalize(text),
    );
    this.#added.add(file.addedTokens);
    this.#tokens = addConfigTokens(this.#added, config, file.padToken);
    this.specialIds = new Set(this.#tokens.special.map((token) => this.idOf(token) ?? -1));
    const { before, after } = this.#tokens.template ?? file.template;
    const token = (text: string): Token[] => {
      const id = this.#added.idOf(text);
      return id === undefined ? [] : [{ text, id }];
    };
    this.#around = { before: before.flatMap(token), after: after.flatMap(token) };
  }

  get vocabSize(): number {
    return this.#bpe.tokens_to_ids.size;
  }

  encode(parts: readonly TextPart[], addSpecialTokens: boolean): number[] {
    const ids = this.#encode(parts).map(({ id }) => id);
    if (!addSpecialTokens) return ids;
    const { before, after } = this.#around;
    return [...before.map(({ id }) => id), ...ids, ...after.map(({ id }) => id)];
  }

  tokenize(parts: readonly TextPart[]): string[] {
    return this.#encode(parts).map(({ text }) => text);
  }

  idOf(token: string): number | undefined {
    const id = this.#added.idOf(token);
    if (id !== undefined) return id;
    const unknown = this.#tokens.named.get('unk_token');
    return unknown === undefined ? undefined : this.#added.idOf(unknown);
  }

  tokenOf(id: number): string | undefined {
    return this.#added.tokens.get(id)?.content ?? this.#bpe.vocab[id];
  }

  surfaceOf(id: number): string {
    const token = this.tokenOf(id);
    return token === undefined ? '' : new TextDecoder().decode(tokenBytes(token));
  }

  named(name: string): number | undefined {
    const token = this.#tokens.named.get(name);
    return token === undefined ? undefined : this.idOf(token);
  }

  decoder({ skipSpecialTokens }: IdDecoderOptions): IdDecoder {
    return new ByteDecoder((id) => {
      const token = this.tokenOf(id);
      if (token === undefined || (skipSpecialTokens && this.#added.isSpecial(token))) return undefined;
      let bytes = this.#bytes.get(id);
      if (bytes === undefined) {
        bytes = tokenBytes(token);
        this.#bytes.set(id, bytes);
      }
      return bytes;
    });
  }

  #encode(parts: readonly TextPart[]): Token[] {
    const text = parts.map((part) => part.text).join('');
    if (text.length > LONGEST_TEXT) {
      throw new ArgumentError(
        `The text has ${text.length} characters; at most ${LONGEST_TEXT} can be encoded at once.`,
      );
    }
    const plain = plainRanges(parts);
    const tokens: Token[] = [];
    for (const { start, end, id } of this.#added.split(text, false, plain)) {
      if (id !== undefined) tokens.push({ text: text.slice(start, end), id });
      else this.#encodeSection(text.slice(start, end), within(plain, start, end), tokens);
    }
    return tokens;
  }

  #encodeSection(section: string, plain: readonly Range[], tokens: Token[]): void {
    const text = this.#normalize(section);
    for (const { start, end, id } of this.#added.split(text, true, this.#moved(plain, section, text))) {
      if (id !== undefined) {
        tokens.push({ text: text.slice(start, end), id });
        continue;
      }
      const words = cutWords(text.slice(start, end), this.#steps).map(bytesToChars);
      const long = words.find((word) => word.length > LONGEST_WORD);
      if (long !== undefined) {
        throw new ArgumentError(
          `The text has a word of ${long.length} bytes; at most ${LONGEST_WORD} can be encoded.`,
        );
      }
      for (const token of this.#bpe.encode(words)) {
        tokens.push({ text: token, id: this.#bpe.tokens_to_ids.get(token) as number });
      }
    }
  }

  #normalize(text: string): string {
    return this.#forms.reduce((result, form) => normalize(result, form), text);
  }

  // Ranges of a section as ranges of its normalized text.
  #moved(plain: readonly Range[], section: string, text: string): readonly Range[] {
    if (text === section) return plain;
    const moved = (at: number): number =>
      at === section.length ? text.length : this.#normalize(section.slice(0, at)).length;
    return plain.map(({ start, end }) => ({ start: moved(start), end: moved(end) }));
  }
}

function loadBpe(file: TokenizerJson): Bpe {
  // Not loaded for a model that needs none.
  const { BPE } = require('@huggingface/tokenizers') as { BPE: new (config: object) => Bpe };
  return new BPE({ type: 'BPE', vocab: file.vocab, merges: file.merges, ignore_merges: file.ignoreMerges });
}

function stepsOf(file: TokenizerJson, config: JsonObject): WordStep[] {
  const prefix = optionalBoolean(config, 'add_prefix_space', false);
  if (!file.isPlain) return file.steps;
  const steps = file.steps.filter((step) => step !== 'prefix');
  return prefix ? ['prefix', ...steps] : steps;
}

function plainRanges(parts: readonly TextPart[]): Range[] {
  const ranges: Range[] = [];
  let at = 0;
  for (const { text, splitSpecialTokens } of parts) {
    const end = at + text.length;
    const last = ranges.at(-1);
    if (splitSpecialTokens && last?.end === at) last.end = end;
    else if (splitSpecialTokens && end > at) ranges.push({ start: at, end });
    at = end;
  }
  return ranges;
}

function within(ranges: readonly Range[], start: number, end: number): Range[] {
  return ranges
    .filter((range) => range.start < end && range.end > start)
    .map((range) => ({ start: Math.max(range.start, start) - start, end: Math.min(range.end, end) - start }));
}
