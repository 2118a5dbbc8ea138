// What transformers continues the checkpoints' prompts with, and how ours compares: exactly, but where its own choice was close.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type GenerateOptions, Model, type Result } from '../../lib/index.js';
import { checkpointPath, fixturesDir } from './fixtures.js';

/** What scripts/fixtures/reference.py says of one call. */
export interface Reference {
  /** The new ids of each sequence returned. */
  sequences: number[][];
  /** Of beams, best first. */
  scores?: number[];
  /** Of greedy ids, of the unprocessed logits. */
  logprobs?: number[];
  /** Greedy: the steps whose choice was not clear. Beams: not empty where any decision of the search was not. */
  open: number[];
}

export interface Setting {
  checkpoint: string;
  options: GenerateOptions;
  /** The prompt goes in as embedding vectors. */
  embeddings?: true;
}

export interface Case extends Setting, Reference {
  /** Index in `prompts` of the checkpoint. */
  prompt: number;
  family: string;
}

interface Fixture {
  /** Of transformers' GenerationConfig, sorted. */
  fields: string[];
  /** The margin that a choice needs to be clear, as a share of the largest logit. */
  clear: number;
  prompts: Record<string, number[][]>;
  cases: Case[];
}
export const { fields, clear, prompts, cases }: Fixture = JSON.parse(
  readFileSync(join(fixturesDir, 'generation.json'), 'utf8'),
);

export function promptOf({ checkpoint, prompt }: Case): number[] {
  const ids = prompts[checkpoint]?.[prompt];
  if (!ids) throw new Error(`no prompt ${prompt} of ${checkpoint}`);
  return ids;
}

/** The checkpoint of dynamic scaling was trained on 64 positions, and goes beyond them here. */
export async function loadExact(checkpoint: string): Promise<Model> {
  const path = checkpointPath(checkpoint);
  const { config } = await Model.inspect(path);
  return Model.load(path, {
    precision: 'exact',
    threads: 1,
    maxSequences: 8, // the most beams of a case
    contextLength: Math.max(config.maxPositionEmbeddings, 256),
  });
}

export async function generate(model: Model, prompt: readonly number[], setting: Setting): Promise<Result> {
  const { embeddings, options } = setting;
  const given = embeddings ? [{ embeddings: (await model.inputEmbeddings(prompt)).data }] : prompt;
  return model.generate(given, options).result();
}

/**
 * `same`; `open` where ours differs and the reference's choice was not clear; otherwise what differs. After a greedy choice of
 * ours that differs for a reason, nothing is comparable.
 */
export function compare(reference: Reference, result: Result): string {
  const ours = result.sequences.map((sequence) => sequence.tokenIds);
  const { sequences, scores, open } = reference;
  if (ours.length !== sequences.length) return `${ours.length} sequences, expected ${sequences.length}`;
  for (const [index, expected] of sequences.entries()) {
    const ids = ours[index] ?? [];
    const step = expected.findIndex((id, i) => ids[i] !== id);
    const at = step >= 0 ? step : expected.length;
    if (step < 0 && ids.length === expected.length) continue;
    if (scores ? open.length > 0 : open.includes(at)) return 'open';
    return `sequence ${index} differs at ${at}: ${ids.join(' ')}, expected ${expected.join(' ')}`;
  }
  return 'same';
}
