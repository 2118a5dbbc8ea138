// `neox synth`: a model of a real shape with random weights, to try speed without a download.

import { type FileType, SYNTH_SHAPES, type SynthShape, synth as synthModel } from '../index.js';
import type { CommandSpec } from './command.js';
import { type OutputFlags, outputFlags, writeModel } from './jobs.js';
import { typeFlag, typeNotes } from './type-options.js';
import { integer } from './values.js';

interface Options extends OutputFlags {
  shape: SynthShape;
  type?: FileType;
  tokenizer?: string;
  noTokenizer?: boolean;
  layers?: number;
  seed?: number;
}

export const synth: CommandSpec<Options> = {
  name: 'synth',
  summary: 'write a GGUF file of a named shape with random weights',
  options: [
    { flags: '--shape <shape>', help: 'whose sizes to take', choices: SYNTH_SHAPES, required: true },
    { ...typeFlag, defaultText: 'Q4_0' },
    ...outputFlags,
    {
      flags: '--tokenizer <path>',
      help: 'whose tokenizer to take, filled up',
      defaultText: "the demo model's",
    },
    { flags: '--no-tokenizer', help: 'leave the tokenizer out' },
    { flags: '--layers <n>', help: 'its first layers alone', parse: integer(1), defaultText: 'all' },
    { flags: '-s, --seed <n>', help: 'seed of the weights', parse: integer(0), defaultText: '0' },
  ],
  examples: [
    {
      command: 'neox synth --shape 3.6b --type Q4_0 -o m.gguf && neox bench -m m.gguf -p 512 -n 32',
      note: 'the speed of rinna/japanese-gpt-neox-3.6b on this machine',
    },
  ],
  notes: typeNotes,

  async run(_args, options, io) {
    const { shape, type = 'Q4_0', noTokenizer = false, layers, seed = 0 } = options;
    const tokenizer = noTokenizer ? false : (options.tokenizer ?? true);
    const fewer = layers === undefined ? {} : { numHiddenLayers: layers };
    await writeModel('writing', options, io, (control) =>
      synthModel(options.output, { shape, type, tokenizer, ...fewer, seed, ...control }),
    );
    return undefined;
  },
};
