// `neox inspect`: what a model file says, and what it would need, from its header alone.

import { Model, type ModelInspection } from '../index.js';
import type { CommandSpec } from './command.js';
import type { Io } from './io.js';
import { bytes, count, integer } from './values.js';

interface Options {
  contextLength?: number;
  tensors?: boolean;
  json?: boolean;
}

export const inspect: CommandSpec<Options> = {
  name: 'inspect',
  summary: 'show the configuration, tensors and memory of a model, reading its header only',
  arguments: [{ syntax: '<path>', help: 'a .gguf file or a Hugging Face directory' }],
  options: [
    {
      flags: '-c, --context-length <n>',
      help: 'positions to estimate the memory for',
      defaultText: "the checkpoint's",
      parse: integer(1),
    },
    { flags: '--tensors', help: 'list the tensors' },
    { flags: '--json', help: 'print everything as one object' },
  ],
  examples: [
    { command: 'neox inspect model.gguf' },
    { command: 'neox inspect japanese-gpt-neox-3.6b -c 2048 --json', note: 'a directory, for programs' },
  ],

  async run([path = ''], options, io) {
    const { contextLength } = options;
    const found = await Model.inspect(path, contextLength === undefined ? {} : { contextLength });
    if (options.json) await io.out.json(found);
    else await print(found, path, options, io);
    return undefined;
  },
};

async function print(found: ModelInspection, path: string, options: Options, { out }: Io): Promise<void> {
  const { memory, tensors } = found;
  const elements = tensors.reduce((sum, { shape }) => sum + shape.reduce((all, size) => all * size, 1), 0);
  await out.line(path, 'bold');
  await out.table(
    ['', ''],
    [
      ['name', found.name || '-'],
      ['type', found.type],
      ['weights', `${bytes(found.fileBytes)} in ${tensors.length} tensors, ${count(elements)} numbers`],
      ['precision', found.precision],
      ['tokenizer', found.hasTokenizer ? 'yes' : (found.tokenizerNote ?? 'none')],
      ['chat format', found.chatFormat?.name ?? 'none'],
    ],
  );
  await out.line();
  const origins = found.origins.map(({ key, value, origin }) => [key, value, origin]);
  await out.table(['key', 'value', 'origin'], origins);
  await out.line();
  const total = memory.weightsBytes + memory.kvCacheBytes + memory.scratchBytes;
  await out.table(
    ['memory', `for one sequence of ${found.contextLength} positions`],
    [
      ['weights', bytes(memory.weightsBytes)],
      ['KV cache', bytes(memory.kvCacheBytes)],
      ['work', bytes(memory.scratchBytes)],
      ['in all', bytes(total)],
    ],
  );
  if (!options.tensors) return;
  await out.line();
  const rows = tensors.map(({ name, type, shape, bytes: size }) => [
    name,
    type,
    shape.join(' x '),
    bytes(size),
  ]);
  await out.table(['tensor', 'type', 'shape', 'size'], rows);
}
