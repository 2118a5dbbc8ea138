// `neox quantize`: a GGUF file to a smaller one.

import { type FileType, quantize as quantizeModel } from '../index.js';
import type { CommandSpec } from './command.js';
import { outputFlags, reportTypes } from './jobs.js';
import { type QualityFlags, qualityFlags, roundingOptions, writeMeasured } from './quality.js';
import { type TypeFlags, typeFlag, typeFlags, typeNotes, typeOptions } from './type-options.js';
import { bytes } from './values.js';

interface Options extends QualityFlags, TypeFlags {
  type: FileType;
  allowRequantize?: boolean;
  dryRun?: boolean;
}

export const quantize: CommandSpec<Options> = {
  name: 'quantize',
  summary: 'write the matrices of a GGUF file in another type',
  arguments: [{ syntax: '<file>', help: 'a .gguf file' }],
  options: [
    ...outputFlags,
    { ...typeFlag, help: 'type of the matrices; see the table below', required: true },
    ...typeFlags,
    ...qualityFlags,
    { flags: '--allow-requantize', help: 'take a file that is quantized already; the errors add up' },
    { flags: '--dry-run', help: 'only tell the size' },
  ],
  examples: [
    { command: 'neox quantize rinna-3.6b.gguf --type Q4_K_M -o rinna-3.6b.Q4_K_M.gguf' },
    {
      command: "neox quantize rinna-3.6b.gguf --type Q4_0 --tensor-type 'blk\\.[0-3]\\.=Q8_0' -o mixed.gguf",
      note: 'the first four layers in Q8_0',
    },
    {
      command:
        'neox quantize rinna-3.6b.gguf --type Q4_K_M --imatrix rinna-3.6b.imatrix.gguf --report --kl text.txt -o m.gguf',
      note: 'guided by an importance matrix; tell what it cost',
    },
  ],
  notes: typeNotes,

  async run([file = ''], options, io) {
    const { output, type, allowRequantize = false, dryRun = false } = options;
    const settings = { ...typeOptions(options), ...roundingOptions(options), type, allowRequantize, dryRun };
    if (dryRun) {
      const result = await quantizeModel(file, output, settings);
      await reportTypes(result, io);
      if (options.json) await io.out.json(result);
      await io.err.line(`neox: ${output} would have ${bytes(result.tensorBytes)} of tensors`);
      return undefined;
    }
    await writeMeasured('quantizing', file, options, io, (control) =>
      quantizeModel(file, output, { ...settings, ...control }),
    );
    return undefined;
  },
};
