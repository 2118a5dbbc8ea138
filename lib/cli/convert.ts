// `neox convert`: a Hugging Face directory to GGUF.

import { CHAT_FORMATS, convert as convertModel } from '../index.js';
import type { CommandSpec } from './command.js';
import { outputFlags } from './jobs.js';
import { type QualityFlags, qualityFlags, roundingOptions, writeMeasured } from './quality.js';
import { type TypeFlags, typeFlag, typeFlags, typeNotes, typeOptions } from './type-options.js';

interface Options extends QualityFlags, TypeFlags {
  name?: string;
  chatFormat?: string;
}

export const convert: CommandSpec<Options> = {
  name: 'convert',
  summary: 'write a Hugging Face checkpoint as one GGUF file, its tokenizer with it',
  arguments: [
    {
      syntax: '<directory>',
      help: 'with config.json, model.safetensors or pytorch_model.bin, and the tokenizer; or a pulled name',
    },
  ],
  options: [
    ...outputFlags,
    { ...typeFlag, defaultText: 'as stored' },
    ...typeFlags,
    ...qualityFlags,
    { flags: '--name <name>', help: "the model's name in the file", defaultText: "the directory's" },
    {
      flags: '--chat-format <name>',
      help: 'how conversations are written',
      choices: Object.keys(CHAT_FORMATS),
      defaultText: "by the directory's name",
    },
  ],
  examples: [
    { command: 'neox convert japanese-gpt-neox-3.6b -o rinna-3.6b.gguf' },
    { command: 'neox convert japanese-gpt-neox-3.6b --type Q4_K_M -o rinna-3.6b.Q4_K_M.gguf' },
  ],
  notes: typeNotes,

  async run([directory = ''], options, io) {
    const { output, name, chatFormat } = options;
    const settings = {
      ...typeOptions(options),
      ...roundingOptions(options),
      ...(name === undefined ? {} : { name }),
      ...(chatFormat === undefined ? {} : { chatFormat }),
    };
    await writeMeasured('converting', directory, options, io, (control) =>
      convertModel(directory, output, { ...settings, ...control }),
    );
    return undefined;
  },
};
