// Prompts: text, ids, or segments, as the engine takes them.

import type { LoadedModel } from './loaded-model.js';
import type { NativePromptPart } from './native.js';
import type { Prompt, Segment } from './types.js';
import { assertInteger, assertKnownOptions, assertString, unexpected } from './validate.js';

export interface PreparedPrompt {
  parts: NativePromptPart[];
  /** Rows: tokens and embedding vectors. */
  length: number;
  /** The tokens. */
  ids: number[];
}

/** @throws ArgumentError; `ERR_NEOX_NO_TOKENIZER` for text without a tokenizer */
export function preparePrompt(model: LoadedModel, prompt: Prompt): PreparedPrompt {
  if (typeof prompt === 'string') return ofParts(model, [{ text: prompt }]);
  if (!isList(prompt)) throw unexpected('text, token ids or segments', 'prompt', prompt);
  const isSegments = Array.isArray(prompt) && typeof prompt[0] === 'object';
  return ofParts(model, isSegments ? (prompt as readonly Segment[]) : [{ ids: prompt as ArrayLike<number> }]);
}

/** The prompt of these ids. */
export function promptOfIds(ids: number[]): PreparedPrompt {
  return { parts: [{ ids: Int32Array.from(ids) }], length: ids.length, ids };
}

function ofParts(model: LoadedModel, segments: readonly Segment[]): PreparedPrompt {
  const prepared: PreparedPrompt = { parts: [], length: 0, ids: [] };
  segments.forEach((segment, index) => {
    const name = segments.length === 1 ? 'prompt' : `prompt[${index}]`;
    assertKnownOptions(name, segment, ['text', 'ids', 'embeddings']);
    if (Object.keys(segment).length !== 1) throw unexpected('one of text, ids and embeddings', name, segment);
    if ('embeddings' in segment) {
      const embeddings = checkEmbeddings(name, segment.embeddings, model.config.hiddenSize);
      prepared.parts.push({ embeddings });
      prepared.length += embeddings.length / model.config.hiddenSize;
      return;
    }
    const ids = 'text' in segment ? encode(model, name, segment.text) : checkIds(name, segment.ids, model);
    prepared.parts.push({ ids: Int32Array.from(ids) });
    prepared.length += ids.length;
    for (const id of ids) prepared.ids.push(id);
  });
  return prepared;
}

function encode(model: LoadedModel, name: string, text: string): number[] {
  assertString(name, text);
  return model.requireTokenizer().encode(text, { addSpecialTokens: false });
}

function checkIds(name: string, ids: ArrayLike<number>, model: LoadedModel): number[] {
  if (!isList(ids)) throw unexpected('a list of token ids', name, ids);
  const list = Array.from(ids);
  list.forEach((id, index) => {
    assertInteger(`${name}[${index}]`, id, 0, model.config.vocabSize - 1);
  });
  return list;
}

function checkEmbeddings(name: string, rows: Float32Array, hiddenSize: number): Float32Array {
  if (Object.prototype.toString.call(rows) !== '[object Float32Array]') {
    throw unexpected('a Float32Array of embeddings', name, rows);
  }
  if (rows.length === 0 || rows.length % hiddenSize !== 0) {
    throw unexpected(`rows of ${hiddenSize} values (hiddenSize)`, name, rows);
  }
  return rows.slice();
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return (
    typeof value === 'object' && value !== null && Number.isInteger((value as { length?: unknown }).length)
  );
}
