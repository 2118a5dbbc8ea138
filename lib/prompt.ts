// Prompts: text, ids, or segments, as the engine takes them.

import type { ImagePart } from './chat.js';
import { ContextFullError } from './errors.js';
import type { LoadedModel } from './loaded-model.js';
import type { NativePromptPart } from './native.js';
import type { TextPart } from './tokenizer-kind.js';
import type { Prompt, Segment, TokenIds } from './types.js';
import {
  assertFloat32Array,
  assertKnownOptions,
  assertObject,
  assertText,
  assertTokenIds,
  isList,
  unexpected,
} from './validate.js';

export interface PreparedPrompt {
  parts: NativePromptPart[];
  /** Rows: tokens and embedding vectors. */
  length: number;
  /** The tokens. */
  ids: number[];
}

/**
 * @param limit - the most rows that it may have
 * @throws ArgumentError, ContextFullError; `ERR_NEOX_NO_TOKENIZER` for text without a tokenizer
 */
export function preparePrompt(
  model: LoadedModel,
  prompt: Prompt,
  name = 'prompt',
  limit = model.info.contextLength,
): PreparedPrompt {
  if (Array.isArray(prompt) && typeof prompt[0] === 'object') return ofSegments(model, name, prompt, limit);
  return prepareTokens(model, prompt as string | TokenIds, name, 'text, token ids or segments', limit);
}

/**
 * The same for what must consist of tokens alone.
 * @throws ArgumentError, ContextFullError; `ERR_NEOX_NO_TOKENIZER` for text without a tokenizer
 */
export function prepareTokens(
  model: LoadedModel,
  tokens: string | TokenIds,
  name: string,
  expected = 'text or token ids',
  limit = model.info.contextLength,
): PreparedPrompt {
  if (typeof tokens === 'string') return ofSegments(model, name, [{ text: tokens }], limit);
  if (isList(tokens)) return ofSegments(model, name, [{ ids: tokens }], limit);
  const isFloats = /^\[object Float/.test(Object.prototype.toString.call(tokens));
  const hint = isFloats ? ' Embeddings are given as [{ embeddings }].' : '';
  throw unexpected(expected, name, tokens, hint);
}

/**
 * A conversation as `renderPrompt` writes it: each stretch of text between images is encoded as one.
 * @throws ArgumentError, ContextFullError; `ERR_NEOX_NO_TOKENIZER`
 */
export function prepareChat(
  model: LoadedModel,
  parts: readonly (TextPart | ImagePart)[],
  limit = model.info.contextLength,
): PreparedPrompt {
  const tokenizer = model.requireTokenizer();
  const prepared: PreparedPrompt = { parts: [], length: 0, ids: [] };
  let stretch: TextPart[] = [];
  const encodeStretch = (): void => {
    const ids = tokenizer.encodeParts(stretch);
    stretch = [];
    if (ids.length === 0) return;
    grow(limit, prepared, ids.length);
    addIds(prepared, ids);
  };
  for (const part of parts) {
    if ('text' in part) {
      stretch.push(part);
      continue;
    }
    encodeStretch();
    addEmbeddings(model, prepared, part.name, part.embeddings, limit);
  }
  encodeStretch();
  return prepared;
}

function ofSegments(
  model: LoadedModel,
  whole: string,
  segments: readonly Segment[],
  limit: number,
): PreparedPrompt {
  const prepared: PreparedPrompt = { parts: [], length: 0, ids: [] };
  segments.forEach((segment, index) => {
    const name = segments.length === 1 ? whole : `${whole}[${index}]`;
    assertObject(name, segment);
    assertKnownOptions(name, segment, ['text', 'ids', 'embeddings']);
    if (Object.keys(segment).length !== 1) throw unexpected('one of text, ids and embeddings', name, segment);
    if ('embeddings' in segment) {
      addEmbeddings(model, prepared, name, segment.embeddings, limit);
      return;
    }
    const ids = 'text' in segment ? encode(model, name, segment.text) : segment.ids;
    if (isList(ids)) grow(limit, prepared, ids.length);
    assertTokenIds(name, ids, model.config.vocabSize - 1);
    addIds(prepared, ids);
  });
  return prepared;
}

function addIds(prepared: PreparedPrompt, ids: TokenIds): void {
  prepared.parts.push({ ids: Int32Array.from(ids) });
  for (const id of ids) prepared.ids.push(id);
}

// Before anything of the part is copied: its length is the caller's word.
function grow(limit: number, prepared: PreparedPrompt, rows: number): void {
  prepared.length += rows;
  if (prepared.length <= limit) return;
  throw new ContextFullError(
    'ERR_NEOX_CONTEXT_FULL',
    `The prompt of ${prepared.length} tokens does not fit into the context of ${limit}.`,
  );
}

function encode(model: LoadedModel, name: string, text: string): number[] {
  assertText(name, text);
  return model.requireTokenizer().encode(text, { addSpecialTokens: false });
}

function addEmbeddings(
  model: LoadedModel,
  prepared: PreparedPrompt,
  name: string,
  rows: Float32Array,
  limit: number,
): void {
  const { hiddenSize } = model.config;
  assertFloat32Array(name, rows);
  if (rows.length === 0 || rows.length % hiddenSize !== 0) {
    throw unexpected(`rows of ${hiddenSize} values (hiddenSize)`, name, rows);
  }
  grow(limit, prepared, rows.length / hiddenSize);
  prepared.parts.push({ embeddings: rows.slice() });
}
