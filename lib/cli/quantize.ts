// `neox quantize`: a GGUF file to a smaller one.

import { quantize as quantizeModel, TENSOR_TYPES, type TensorType } from '../index.js';
import type { CommandSpec } from './command.js';
import { type OutputFlags, outputFlags, writeModel } from './jobs.js';

interface Options extends OutputFlags {
  type: TensorType;
}

export const quantize: CommandSpec<Options> = {
  name: 'quantize',
  summary: 'write the matrices of a GGUF file in another type',
  arguments: [{ syntax: '<file>', help: 'a .gguf file' }],
  options: [
    ...outputFlags,
    { flags: '--type <type>', help: 'type of the matrices', choices: TENSOR_TYPES, required: true },
  ],
  examples: [{ command: 'neox quantize rinna-3.6b.gguf --type Q4_0 -o rinna-3.6b.Q4_0.gguf' }],

  async run([file = ''], options, io) {
    await writeModel('quantizing', options, io, file, (control) =>
      quantizeModel(file, options.output, { type: options.type, ...control }),
    );
    return undefined;
  },
};
