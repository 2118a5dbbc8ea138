// What docs/parity.md says in figures: measured on the committed values whenever the page is made or checked.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Model, Sampler, type SamplerOptions } from '../../lib/index.js';
import { checkpointNames, fixturesDir, type GoldenTensor, readGolden, relativeError } from './fixtures.js';
import { type Case, cases, compare, generate, loadExact, promptOf } from './generation-cases.js';

/** A measured error as the page has it: the least of these that it stays below, so that no rounding changes the page. */
const BOUNDS = [3e-6, 1e-5, 1e-4];
export const withinText = (error: number): string =>
  `<= ${BOUNDS.find((bound) => error <= bound)?.toExponential() ?? error}`;

const column = <T>(rows: readonly T[], value: (row: T) => number): number =>
  rows.reduce((sum, row) => sum + value(row), 0);

export interface ForwardRow {
  checkpoint: string;
  logits: number;
  hidden: number;
  logprobs: number;
  greedySteps: number;
}

async function forwardRow(checkpoint: string, model: Model): Promise<ForwardRow> {
  const golden: Record<string, GoldenTensor> = readGolden(checkpoint);
  const data = (key: string): GoldenTensor['data'] => golden[key]?.data ?? new Float32Array();
  const ids = (key: string): Int32Array => data(key) as Int32Array;
  const logits = await model.logits(ids('prompt_ids'), { positions: Array.from(data('logit_positions')) });
  const hidden = await model.embed(ids('prompt_ids'), { pooling: 'last', normalize: false });
  const score = await model.score(ids('score_context_ids'), ids('score_continuation_ids'));
  const options = { temperature: 0, eosTokenId: null, maxNewTokens: data('greedy_ids').length } as const;
  const { tokenIds } = await model.generate(ids('greedy_prompt_ids'), options).result();
  return {
    checkpoint,
    logits: relativeError(logits.data, data('logits')),
    hidden: relativeError(hidden, data('hidden_last')),
    logprobs: relativeError(
      score.tokens.map((token) => token.logprob),
      data('score_logprobs'),
    ),
    greedySteps: tokenIds.filter((id, i) => id === data('greedy_ids')[i]).length,
  };
}

export interface FamilyRow {
  family: string;
  cases: number;
  sequences: number;
  same: number;
  open: number;
}

/** Both tables, with each checkpoint loaded once. */
export async function measureModels(): Promise<{ forward: ForwardRow[]; families: FamilyRow[] }> {
  const forward: ForwardRow[] = [];
  const verdicts: { one: Case; verdict: string }[] = [];
  for (const checkpoint of checkpointNames) {
    const model = await loadExact(checkpoint);
    forward.push(await forwardRow(checkpoint, model));
    for (const one of cases.filter((each) => each.checkpoint === checkpoint)) {
      verdicts.push({ one, verdict: compare(one, await generate(model, promptOf(one), one)) });
    }
    await model.dispose();
  }
  const nameOf = ({ family, embeddings }: Case): string => (embeddings ? `${family}, inputs_embeds` : family);
  const families = [...new Set(verdicts.map(({ one }) => nameOf(one)))].map((family) => {
    const own = verdicts.filter(({ one }) => nameOf(one) === family);
    return {
      family,
      cases: own.length,
      sequences: column(own, ({ one }) => one.sequences.length),
      same: column(own, ({ verdict }) => Number(verdict === 'same')),
      open: column(own, ({ one }) => Number(one.open.length > 0)),
    };
  });
  return { forward, families };
}

export interface ProcessorRow {
  option: string;
  vectors: number;
  /** Of the vectors, those whose kept set is the reference's. */
  sameKept: number;
  error: number;
}

interface SamplerCase {
  name: string;
  options: SamplerOptions;
  ids: number[];
  promptLength: number;
  minTokensToKeep?: number;
  scores: (number | null)[];
  expected: (number | null)[];
}

/** By the option that a case is named after; combinations together. */
export function measureProcessors(): ProcessorRow[] {
  const file = readFileSync(join(fixturesDir, 'sampler.json'), 'utf8');
  const samplerCases: SamplerCase[] = JSON.parse(file).cases;
  const scores = (values: (number | null)[]): Float32Array =>
    Float32Array.from(values, (value) => value ?? Number.NEGATIVE_INFINITY);
  const rows = new Map<string, ProcessorRow>();
  for (const { name, options, ids, promptLength, minTokensToKeep = 1, ...vectors } of samplerCases) {
    const words = name.replace(/^random /, '');
    const named = /^[a-z]+[A-Z]\w*|^temperature/.exec(words)?.[0];
    const option = named ?? (words.startsWith('combination') ? 'combinations of 2 to 8' : 'several, or none');
    const row = rows.get(option) ?? { option, vectors: 0, sameKept: 0, error: 0 };
    let got = new Sampler(options).process(scores(vectors.scores), ids, {
      promptLength,
      minTokensToKeep,
    });
    let expected = scores(vectors.expected);
    // torch's sort leaves open which of equal scores on the border of top-p goes first.
    if (name === 'topP with ties') [got, expected] = [got.sort(), expected.sort()];
    row.vectors++;
    row.sameKept += Number(got.every((value, i) => Number.isFinite(value) === Number.isFinite(expected[i])));
    const errors = got.map((value, i) => Math.abs(value - (expected[i] ?? 0)) / Math.max(1, Math.abs(value)));
    row.error = Math.max(row.error, ...errors.filter(Number.isFinite));
    rows.set(option, row);
  }
  return [...rows.values()].sort((a, b) => a.option.localeCompare(b.option, 'en'));
}
