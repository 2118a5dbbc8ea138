// `neox imatrix`: what enters the matrices of a model on a text, for `neox quantize --imatrix`.

import { basename } from 'node:path';
import { collectImportance, type ImportanceResult, mergeImportance, type Precision } from '../index.js';
import type { CommandSpec } from './command.js';
import { UsageError } from './exit-codes.js';
import { type OutputFlags, outputFlags, writeOutput } from './jobs.js';
import { modelOption, modelPath } from './model-options.js';
import { readInput } from './prompt.js';
import { integer } from './values.js';

interface Options extends OutputFlags {
  model?: string;
  file?: string;
  contextLength?: number;
  chunks?: number;
  processOutput?: boolean;
  inFile?: string[];
  precision?: Precision;
  threads?: number;
  json?: boolean;
}

export const imatrix: CommandSpec<Options> = {
  name: 'imatrix',
  summary: "collect a model's importance matrix on a text, for quantize --imatrix",
  options: [
    modelOption,
    {
      flags: '-f, --file <path>',
      help: 'the text, like what the model will be used on; - reads standard input',
    },
    ...outputFlags,
    {
      flags: '-c, --context-length <n>',
      help: 'tokens of a chunk; a rest that fills none is left out',
      defaultText: '512',
      parse: integer(1),
    },
    { flags: '--chunks <n>', help: 'most chunks to run', defaultText: 'all', parse: integer(1) },
    { flags: '--process-output', help: 'collect for the output matrix too' },
    {
      flags: '--in-file <file>',
      help: 'add what an earlier run has collected; may be repeated. Without --file, nothing but that',
      repeats: true,
    },
    {
      flags: '--precision <precision>',
      help: 'arithmetic',
      choices: ['exact', 'high', 'fast'],
      defaultText: "by the weights' type",
    },
    {
      flags: '-t, --threads <n>',
      help: 'threads',
      defaultText: 'the physical cores',
      parse: integer(1, 256),
    },
    { flags: '--json', help: 'print chunks, tokens and matrices as one object' },
  ],
  examples: [
    {
      command: 'neox imatrix -m rinna-3.6b.gguf -f text.txt -o rinna-3.6b.imatrix.gguf',
      note: 'then: neox quantize rinna-3.6b.gguf --type Q4_K_M --imatrix rinna-3.6b.imatrix.gguf -o small.gguf',
    },
    {
      command: 'neox imatrix -m m.gguf -f more.txt --in-file a.gguf -o b.gguf',
      note: 'go on with another text',
    },
    { command: 'neox imatrix --in-file a.gguf --in-file b.dat -o sum.gguf', note: 'add files up' },
  ],

  async run(_args, options, io) {
    const result = await (options.file === undefined ? merge(options) : collect(options));
    if (options.json) await io.out.json(result);
    return undefined;

    async function collect({ file = '', inFile: inputs = [], output }: Options): Promise<ImportanceResult> {
      const { contextLength, chunks, processOutput, precision, threads } = options;
      const given = { contextLength, chunks, processOutput, precision, threads };
      const settings = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
      const text = await readInput([], io, 'text', file);
      const dataset = file === '-' ? 'standard input' : basename(file);
      const path = modelPath(options);
      return writeOutput('collecting', options, io, 'tokens', (control) =>
        collectImportance(path, output, { text, dataset, inputs, ...settings, ...control }),
      );
    }

    async function merge({ inFile: inputs = [], output }: Options): Promise<ImportanceResult> {
      if (inputs.length === 0) throw new UsageError('Give a text with --file, or matrices with --in-file.');
      return writeOutput('adding', options, io, 'tokens', () => mergeImportance(inputs, output));
    }
  },
};
