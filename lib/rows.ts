// What is read off the rows of a prompt: logits, hidden states, log-probabilities, one vector for a text.

import { setImmediate } from 'node:timers/promises';
import { query } from './calls.js';
import { fromNative } from './errors.js';
import type { LoadedModel } from './loaded-model.js';
import { preparePrompt, prepareTokens } from './prompt.js';
import type { EmbedOptions, PositionOptions, ReadOptions, Rows, Score } from './row-types.js';
import type { Prompt, TokenIds } from './types.js';
import {
  assertBoolean,
  assertInteger,
  assertKnownOptions,
  assertOneOf,
  assertSignal,
  assertTokenIds,
  unexpected,
} from './validate.js';

const YIELD_MS = 4; // the event loop waits no longer for the arithmetic here

export async function readLogits(
  model: LoadedModel,
  prompt: Prompt,
  options: PositionOptions,
): Promise<Rows> {
  checkOptions('Model.logits', options, ['positions']);
  const { parts, length } = preparePrompt(model, prompt);
  const logitsAt = checkPositions(options.positions ?? 'last', length);
  const { logits } = await query(model, { prompt: parts, logitsAt }, options.signal);
  return { data: logits, shape: [logitsAt.length, model.config.vocabSize] };
}

export async function readHiddenStates(
  model: LoadedModel,
  prompt: Prompt,
  options: PositionOptions,
): Promise<Rows> {
  checkOptions('Model.hiddenStates', options, ['positions']);
  const { parts, length } = preparePrompt(model, prompt);
  const hiddenAt = checkPositions(options.positions ?? 'last', length);
  const { hidden } = await query(model, { prompt: parts, hiddenAt }, options.signal);
  return { data: hidden, shape: [hiddenAt.length, model.config.hiddenSize] };
}

export async function readScore(
  model: LoadedModel,
  context: Prompt,
  continuation: string | TokenIds,
  options: ReadOptions,
): Promise<Score> {
  checkOptions('Model.score', options, []);
  const before = preparePrompt(model, context, 'context');
  const after = prepareTokens(model, continuation, 'continuation');
  if (before.length === 0) throw unexpected('at least one token', 'context', context);
  const prompt = [...before.parts, ...after.parts];
  options.signal?.throwIfAborted();
  if (after.length === 0) return { sum: 0, tokens: [] };
  const { targetLogprobs } = await query(model, { prompt, scoreFrom: before.length }, options.signal);
  const tokens = after.ids.map((id, index) => ({ id, logprob: targetLogprobs[index] ?? Number.NaN }));
  return { sum: tokens.reduce((sum, token) => sum + token.logprob, 0), tokens };
}

export async function readInputEmbeddings(model: LoadedModel, ids: TokenIds): Promise<Rows> {
  assertTokenIds('ids', ids, model.config.vocabSize - 1);
  try {
    const data = await model.native.inputEmbeddings(Int32Array.from(ids));
    return { data, shape: [ids.length, model.config.hiddenSize] };
  } catch (error) {
    throw fromNative(error);
  }
}

export async function readEmbedding(
  model: LoadedModel,
  text: Prompt,
  options: EmbedOptions,
): Promise<Float32Array> {
  checkOptions('Model.embed', options, ['pooling', 'normalize']);
  const { pooling = 'mean', normalize = true } = options;
  assertOneOf('pooling', pooling, ['mean', 'last']);
  assertBoolean('normalize', normalize);
  const { parts, length } = preparePrompt(model, text, 'text');
  if (length === 0) throw unexpected('at least one token', 'text', text);
  const hiddenAt = checkPositions(pooling === 'last' ? 'last' : 'all', length);
  const { hidden } = await query(model, { prompt: parts, hiddenAt }, options.signal);
  const vector = await mean(hidden, model.config.hiddenSize, options.signal);
  if (!normalize) return vector;
  const norm = Math.hypot(...vector);
  return norm > 0 ? vector.map((value) => value / norm) : vector;
}

function checkOptions(where: string, options: ReadOptions, known: readonly string[]): void {
  assertKnownOptions(where, options, [...known, 'signal']);
  if (options.signal !== undefined) assertSignal('signal', options.signal);
}

function checkPositions(positions: NonNullable<PositionOptions['positions']>, length: number): Int32Array {
  if (length === 0) throw unexpected('at least one token', 'prompt', []);
  if (positions === 'last') return Int32Array.of(length - 1);
  if (positions === 'all') return Int32Array.from({ length }, (_, index) => index);
  if (!Array.isArray(positions) || positions.length === 0) {
    throw unexpected("'last', 'all' or a list of positions", 'positions', positions);
  }
  positions.forEach((position, index) => {
    assertInteger(
      `positions[${index}]`,
      position,
      index === 0 ? 0 : (positions[index - 1] ?? 0) + 1,
      length - 1,
    );
  });
  return Int32Array.from(positions);
}

async function mean(
  rows: Float32Array,
  size: number,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const sums = new Float64Array(size);
  let begin = performance.now();
  for (let row = 0; row < rows.length; row += size) {
    for (let i = 0; i < size; i++) sums[i] = (sums[i] ?? 0) + (rows[row + i] ?? 0);
    if (performance.now() - begin < YIELD_MS) continue;
    await setImmediate();
    signal?.throwIfAborted();
    begin = performance.now();
  }
  return Float32Array.from(sums, (sum) => sum / (rows.length / size));
}
