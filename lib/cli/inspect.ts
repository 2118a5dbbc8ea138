// `neox inspect`: what a model file says, and what it would need, from its header alone.

import { type FileType, listDevices, Model, type ModelInspection } from '../index.js';
import type { CommandSpec } from './command.js';
import { gpuRows, memoryRows, printDevices } from './devices.js';
import { UsageError } from './exit-codes.js';
import type { Io } from './io.js';
import { fileType } from './type-options.js';
import { bytes, count, integer } from './values.js';

interface Options {
  devices?: boolean;
  contextLength?: number;
  type?: FileType;
  tensors?: boolean;
  metadata?: boolean;
  json?: boolean;
}

export const inspect: CommandSpec<Options> = {
  name: 'inspect',
  summary: 'show the configuration, tensors and memory of a model, reading its header only, or the devices',
  arguments: [{ syntax: '[path]', help: 'a .gguf file, a Hugging Face directory or a pulled name' }],
  options: [
    {
      flags: '-c, --context-length <n>',
      help: 'positions to estimate the memory for',
      defaultText: "the checkpoint's",
      parse: integer(1),
    },
    {
      flags: '--type <type>',
      help: 'as it would be when quantized while loading (see neox quantize --help)',
      defaultText: 'as stored',
      parse: fileType,
    },
    { flags: '--tensors', help: 'list the tensors' },
    { flags: '--metadata', help: 'list all that a GGUF file says beside them' },
    { flags: '--devices', help: 'instead: the devices that models can be loaded on, and why not on others' },
    { flags: '--json', help: 'print everything as one object' },
  ],
  examples: [
    { command: 'neox inspect model.gguf' },
    { command: 'neox inspect japanese-gpt-neox-3.6b -c 2048 --json', note: 'a directory, for programs' },
    { command: 'neox inspect --devices' },
  ],

  async run([path], options, io) {
    const { tensors, metadata, json, devices, ...settings } = options;
    if (devices) {
      if (path !== undefined) throw new UsageError('--devices takes no model.');
      const { contextLength, type } = options;
      const given = { '-c': contextLength, '--type': type, '--tensors': tensors, '--metadata': metadata };
      const [flag] = Object.entries(given).find(([, value]) => value !== undefined) ?? [];
      if (flag !== undefined) throw new UsageError(`--devices takes no ${flag}, which is of a model.`);
      const found = await listDevices();
      await (json ? io.out.json({ devices: found }) : printDevices(found, io));
      return undefined;
    }
    if (path === undefined) throw new UsageError('neox inspect needs a model, or --devices.');
    const found = await Model.inspect(path, { ...settings, maxSequences: 1, device: 'auto' });
    if (json) await io.out.json(found);
    else await print(found, path, options, io);
    return undefined;
  },
};

async function print(found: ModelInspection, path: string, options: Options, { out }: Io): Promise<void> {
  const { memory, tensors } = found;
  await out.line(path, 'bold');
  await out.table(['', ''], summaryOf(found));
  await out.line();
  const origins = found.origins.map(({ key, value, origin }) => [key, value, origin]);
  await out.table(['key', 'value', 'origin'], origins);
  await out.line();
  await out.table(
    ['memory', `for one sequence of ${found.contextLength} positions`],
    [...memoryRows(memory), ...gpuRows(found)],
  );
  if (options.metadata && found.metadata.length > 0) {
    await out.line();
    const entries = found.metadata.map(({ key, type, value }) => [key, type, clip(value)]);
    await out.table(['metadata', 'type', 'value'], entries);
  }
  if (!options.tensors) return;
  await out.line();
  const rows = tensors.map(({ name, type, loadedType, shape, bytes: size }) => [
    name,
    type === loadedType ? type : `${type} -> ${loadedType}`,
    shape.join(' x '),
    bytes(size),
  ]);
  await out.table(['tensor', 'type', 'shape', 'size'], rows);
}

function summaryOf(found: ModelInspection): string[][] {
  const { tensors, tokenizer, generationDefaults: defaults, files } = found;
  const elements = tensors.reduce((sum, { shape }) => sum + shape.reduce((all, size) => all * size, 1), 0);
  const settings = Object.entries(defaults).map(([key, value]) => `${key} ${JSON.stringify(value)}`);
  return [
    ['name', found.name || '-'],
    ['format', `${found.format}, ${files.length === 1 ? 'one file' : `${files.length} files`}`],
    ['type', found.fileType ?? found.type],
    ['matrices', matrixTypes(found)],
    ['weights', `${bytes(found.fileBytes)} in ${tensors.length} tensors, ${count(elements)} numbers`],
    ['precision', found.precision],
    [
      'tokenizer',
      tokenizer ? `${tokenizer.kind}, ${tokenizer.vocabSize} tokens` : (found.tokenizerNote ?? 'none'),
    ],
    ['end of text', found.eosTokenIds.join(', ') || 'none'],
    ['chat format', found.chatFormat?.name ?? 'none'],
    ['settings', settings.length > 0 ? `${settings.join(', ')} (${found.generationDefaultsOrigin})` : 'none'],
  ];
}

/** How many matrices of each type loading gives: `72 Q4_K, 37 Q6_K`. */
function matrixTypes({ tensors }: ModelInspection): string {
  const counts = new Map<string, number>();
  for (const { shape, loadedType } of tensors) {
    if (shape.length > 1) counts.set(loadedType, (counts.get(loadedType) ?? 0) + 1);
  }
  const descending = [...counts].sort(([, a], [, b]) => b - a);
  return descending.map(([type, n]) => `${n} ${type}`).join(', ');
}

/** A line of a table: the first of a text, cut where it is long. */
function clip(text: string): string {
  const [line = ''] = text.split('\n');
  return line.length > 100 || line !== text ? `${line.slice(0, 100)} ...` : line;
}
