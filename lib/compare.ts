// How far one model is from another on a text: what quantization costs, in divergence and perplexity.

import { setImmediate } from 'node:timers/promises';
import { checkJobOptions, JOB_OPTIONS, type JobOptions } from './jobs.js';
import { Model } from './model.js';
import type { TokenIds } from './types.js';
import { assertInteger, assertKnownOptions, assertString, assertTokenIds, unexpected } from './validate.js';

/** Of `compareModels`. */
export interface CompareOptions extends JobOptions {
  /** Encoded with the reference's tokenizer. This or `ids`. */
  text?: string;
  /** The tokens themselves. This or `text`. */
  ids?: TokenIds;
  /** Tokens of a chunk, at least 4. Chunks follow one another and know nothing of each other. @defaultValue `512` */
  contextLength?: number;
  /** Most chunks to run. @defaultValue all */
  chunks?: number;
}

/** Divergences are of the candidate's next-token distribution from the reference's, in nats. */
export interface ModelComparison {
  /** Chunks that were run. */
  chunks: number;
  /** Positions compared: those of the second half of each chunk that have a next token. */
  positions: number;
  /** Over all positions. */
  meanKl: number;
  /** Standard error of the mean. */
  meanKlError: number;
  /** The 50th percentile. */
  medianKl: number;
  /** 99th percentile. */
  kl99: number;
  /** That of the position where the two differ most. */
  maxKl: number;
  /** Share of positions where both find the same token most likely. */
  topAgreement: number;
  /** Of the reference, over the positions compared. */
  referencePerplexity: number;
  /** Its standard error. */
  referencePerplexityError: number;
  /** Of the candidate, over the same positions. */
  candidatePerplexity: number;
  /** Its standard error. */
  candidatePerplexityError: number;
}

const YIELD_MS = 4; // the event loop waits no longer for the arithmetic here

/**
 * Compares two loaded models of one vocabulary, as llama.cpp's tool does: chunk by chunk, over the second half of each. Holds
 * the logits of half a chunk at a time. Progress counts tokens, of both models.
 * @throws ArgumentError; ContextFullError for chunks longer than a model's context
 */
export async function compareModels(
  reference: Model,
  candidate: Model,
  options: CompareOptions,
): Promise<ModelComparison> {
  const ids = readIds(reference, candidate, options);
  const { contextLength = 512, chunks: most = Number.POSITIVE_INFINITY, onProgress, signal } = options;
  const chunks = Math.min(Math.floor(ids.length / contextLength), most);
  if (chunks === 0) {
    throw unexpected(`a text of at least one chunk of ${contextLength} tokens`, 'text', ids);
  }
  const first = contextLength >> 1;
  const positions = Array.from({ length: contextLength - 1 - first }, (_, index) => first + index);
  const totals = new Totals();
  const total = 2 * chunks * contextLength;
  for (let chunk = 0; chunk < chunks; chunk++) {
    const begin = chunk * contextLength;
    const prompt = ids.slice(begin, begin + contextLength);
    const rows: Float32Array[] = [];
    for (const model of [reference, candidate]) {
      rows.push((await model.logits(prompt, { positions, ...(signal ? { signal } : {}) })).data);
      onProgress?.({ done: 2 * begin + rows.length * contextLength, total });
    }
    await totals.add(rows as [Float32Array, Float32Array], prompt.slice(first + 1));
  }
  return { chunks, ...totals.summary() };
}

function readIds(reference: Model, candidate: Model, options: CompareOptions): number[] {
  for (const [name, model] of Object.entries({ reference, candidate })) {
    if (!(model instanceof Model)) throw unexpected('a Model', name, model);
  }
  assertKnownOptions('compareModels', options, ['text', 'ids', 'contextLength', 'chunks', ...JOB_OPTIONS]);
  checkJobOptions(options);
  const { text, ids, contextLength, chunks } = options;
  if (contextLength !== undefined) assertInteger('contextLength', contextLength, 4);
  if (chunks !== undefined) assertInteger('chunks', chunks, 1);
  const { vocabSize } = reference.config;
  if (candidate.config.vocabSize !== vocabSize) {
    throw unexpected(
      `a model of ${vocabSize} tokens, as the reference's,`,
      'candidate',
      candidate.config.vocabSize,
    );
  }
  if (ids === undefined) {
    assertString('text', text);
    return reference.tokenizer.encode(text, { addSpecialTokens: false });
  }
  if (text !== undefined) throw unexpected('`text` or `ids`, not both,', 'text', text);
  assertTokenIds('ids', ids, vocabSize - 1);
  return Array.from(ids);
}

class Totals {
  readonly #divergences: number[] = [];
  readonly #losses: [number[], number[]] = [[], []];
  #agreements = 0;

  /** Rows of both models, and the token that came after each. */
  async add([a, b]: [Float32Array, Float32Array], targets: readonly number[]): Promise<void> {
    const size = a.length / targets.length;
    let begin = performance.now();
    for (const [index, target] of targets.entries()) {
      const p = distribution(a.subarray(index * size, (index + 1) * size));
      const q = distribution(b.subarray(index * size, (index + 1) * size));
      this.#divergences.push(divergence(p, q));
      if (p.best === q.best) this.#agreements += 1;
      for (const [side, { logits, logSum }] of [p, q].entries()) {
        this.#losses[side]?.push(logSum - (logits[target] ?? Number.NaN));
      }
      if (performance.now() - begin < YIELD_MS) continue;
      await setImmediate();
      begin = performance.now();
    }
  }

  summary(): Omit<ModelComparison, 'chunks'> {
    const sorted = Float64Array.from(this.#divergences).sort();
    const [mean, error] = meanAndError(this.#divergences);
    const [reference, candidate] = this.#losses.map(meanAndError) as [[number, number], [number, number]];
    return {
      positions: sorted.length,
      meanKl: mean,
      meanKlError: error,
      medianKl: quantile(sorted, 0.5),
      kl99: quantile(sorted, 0.99),
      maxKl: sorted.at(-1) ?? Number.NaN,
      topAgreement: this.#agreements / sorted.length,
      referencePerplexity: Math.exp(reference[0]),
      referencePerplexityError: Math.exp(reference[0]) * reference[1],
      candidatePerplexity: Math.exp(candidate[0]),
      candidatePerplexityError: Math.exp(candidate[0]) * candidate[1],
    };
  }
}

interface Distribution {
  logits: Float32Array;
  /** Logarithm of the sum of their exponentials. */
  logSum: number;
  /** Index of the first of the largest. */
  best: number;
}

function distribution(logits: Float32Array): Distribution {
  let best = 0;
  for (let i = 1; i < logits.length; i++) {
    if ((logits[i] as number) > (logits[best] as number)) best = i;
  }
  const max = logits[best] as number;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp((logits[i] as number) - max);
  return { logits, logSum: max + Math.log(sum), best };
}

/** Sum of p (log p - log q); rounding may leave it a trifle below 0, which no divergence is. */
function divergence(p: Distribution, q: Distribution): number {
  let sum = 0;
  for (let i = 0; i < p.logits.length; i++) {
    const logP = (p.logits[i] as number) - p.logSum;
    sum += Math.exp(logP) * (logP - ((q.logits[i] as number) - q.logSum));
  }
  return Math.max(0, sum);
}

/** The mean and its standard error, NaN for a single value. */
function meanAndError(values: readonly number[]): [number, number] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return [mean, Math.sqrt(squares / (values.length - 1) / values.length)];
}

/** Between the two values next to it, by its distance to each. */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}
