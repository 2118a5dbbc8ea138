// What `convert` and `quantize` share beyond types: an importance matrix, a report of errors, a comparison of the models.

import {
  compareModels,
  type JobResult,
  Model,
  type ModelComparison,
  type RoundingOptions,
  type TensorReport,
  Tokenizer,
} from '../index.js';
import type { OptionSpec } from './command.js';
import { UsageError } from './exit-codes.js';
import type { Io } from './io.js';
import { type JobControl, type OutputFlags, reportTypes, writeOutput } from './jobs.js';
import { withProgress } from './progress.js';
import { readInput } from './prompt.js';
import { integer } from './values.js';

export const qualityFlags: readonly OptionSpec[] = [
  { flags: '--imatrix <file>', help: 'weigh errors with an importance matrix; see neox imatrix' },
  { flags: '--report', help: 'measure the error of each matrix: a table on stderr' },
  { flags: '--kl <file>', help: 'compare with the source on a text: divergence and perplexities, on stderr' },
  {
    flags: '--kl-chunks <n>',
    help: 'most chunks of 512 tokens to compare',
    defaultText: 'all',
    parse: integer(1),
  },
  { flags: '--json', help: 'print all that was found out as one object' },
];

export interface QualityFlags extends OutputFlags {
  imatrix?: string;
  report?: boolean;
  kl?: string;
  klChunks?: number;
  json?: boolean;
}

/** The flags as options of `convert` and `quantize`. */
export function roundingOptions({ imatrix, report }: QualityFlags): RoundingOptions {
  return { ...(imatrix === undefined ? {} : { imatrix }), ...(report === undefined ? {} : { report }) };
}

/** Writes a model, and tells how good it is as far as was asked. */
export async function writeMeasured(
  label: string,
  input: string,
  options: QualityFlags,
  io: Io,
  job: (control: JobControl) => Promise<JobResult>,
): Promise<void> {
  const sample = options.kl === undefined ? undefined : await readSample(input, options.kl, io);
  const result = await writeOutput(label, options, io, 'MiB', job);
  await reportTypes(result, io);
  if (options.report && !options.json) await printErrors(result.tensors, io);
  const comparison = sample && (await compare(input, sample, options, io));
  if (comparison && !options.json) await printComparison(comparison, io);
  if (options.json) await io.out.json({ ...result, ...(comparison ? { comparison } : {}) });
}

interface Sample {
  ids: number[];
  /** Tokens of a chunk. */
  contextLength: number;
}

/** What the models are compared on. Read before the work, which may be long: what is wrong with it is told at once. */
async function readSample(input: string, file: string, io: Io): Promise<Sample> {
  const text = await readInput([], io, 'text', file);
  const { config } = await Model.inspect(input);
  const contextLength = Math.min(512, config.maxPositionEmbeddings);
  const ids = (await Tokenizer.load(input)).encode(text, { addSpecialTokens: false });
  if (ids.length >= contextLength) return { ids, contextLength };
  throw new UsageError(`The text of --kl has ${ids.length} tokens; ${contextLength} or more are needed.`);
}

async function compare(
  input: string,
  { ids, contextLength }: Sample,
  options: QualityFlags,
  io: Io,
): Promise<ModelComparison> {
  const { output, klChunks: chunks } = options;
  return io.interrupts.during((signal) =>
    withProgress(
      io,
      'comparing',
      async (onProgress) => {
        // Exact, so that what differs is the weights' and not the arithmetic's.
        const settings = { precision: 'exact', maxSequences: 1, contextLength, signal } as const;
        const reference = await Model.load(input, settings);
        try {
          const candidate = await Model.load(output, settings);
          try {
            const limit = chunks === undefined ? {} : { chunks };
            return await compareModels(reference, candidate, {
              ids,
              contextLength,
              ...limit,
              onProgress,
              signal,
            });
          } finally {
            await candidate.dispose();
          }
        } finally {
          await reference.dispose();
        }
      },
      'tokens',
    ),
  );
}

async function printErrors(tensors: readonly TensorReport[], { err }: Io): Promise<void> {
  if (tensors.length === 0) {
    await err.line('neox: no matrix changed its type');
    return;
  }
  const isWeighted = tensors.some(({ weightedError }) => weightedError !== undefined);
  const head = ['tensor', 'type', 'bits', 'RMSE', 'relative', 'largest', ...(isWeighted ? ['weighted'] : [])];
  const rows = tensors.map(({ name, type, bitsPerWeight, rmse, relativeError, maxError, weightedError }) => {
    const weighted = weightedError === undefined ? '-' : digits(weightedError);
    const cells = [
      name,
      type,
      bitsPerWeight.toFixed(2),
      digits(rmse),
      digits(relativeError),
      digits(maxError),
    ];
    return isWeighted ? [...cells, weighted] : cells;
  });
  const { bitsPerWeight, rmse, relativeError, maxError } = inAll(tensors);
  await err.table(head, [
    ...rows,
    ['in all', '', bitsPerWeight.toFixed(2), digits(rmse), digits(relativeError), digits(maxError)],
  ]);
}

/** The same figures over all elements. */
function inAll(tensors: readonly TensorReport[]): Omit<TensorReport, 'name' | 'type' | 'weightedError'> {
  const elements = tensors.reduce((sum, tensor) => sum + tensor.elements, 0);
  const mean = (value: (tensor: TensorReport) => number): number =>
    tensors.reduce((sum, tensor) => sum + value(tensor) * tensor.elements, 0) / elements;
  const rms = Math.sqrt(mean((tensor) => tensor.rms ** 2));
  const rmse = Math.sqrt(mean((tensor) => tensor.rmse ** 2));
  return {
    elements,
    bitsPerWeight: mean((tensor) => tensor.bitsPerWeight),
    rms,
    rmse,
    relativeError: rms > 0 ? rmse / rms : 0,
    maxError: tensors.reduce((max, tensor) => Math.max(max, tensor.maxError), 0),
  };
}

async function printComparison(found: ModelComparison, { err }: Io): Promise<void> {
  await err.table(
    ['compared with the source', `${found.positions} positions in ${found.chunks} chunks`],
    [
      ['KL divergence, mean', `${digits(found.meanKl)} +- ${digits(found.meanKlError)}`],
      ['median', digits(found.medianKl)],
      ['99th percentile', digits(found.kl99)],
      ['largest', digits(found.maxKl)],
      ['same best token', `${(100 * found.topAgreement).toFixed(2)} %`],
      [
        'perplexity before',
        `${found.referencePerplexity.toFixed(4)} +- ${digits(found.referencePerplexityError)}`,
      ],
      ['and after', `${found.candidatePerplexity.toFixed(4)} +- ${digits(found.candidatePerplexityError)}`],
    ],
  );
}

/** Three significant digits. */
function digits(value: number): string {
  return Number.isFinite(value) ? value.toPrecision(3) : '-';
}
