// The flags with which every command that runs a model loads it.

import { CHAT_FORMATS, demoModelPath, type LoadOptions, Model } from '../index.js';
import type { OptionSpec } from './command.js';
import { hasCudaLibrary } from './devices.js';
import { UsageError } from './exit-codes.js';
import type { Io } from './io.js';
import { withProgress } from './progress.js';
import { fileType } from './type-options.js';
import { integer } from './values.js';

export const modelOption: OptionSpec = {
  flags: '-m, --model <path>',
  help: 'a .gguf file, a Hugging Face directory or a pulled name',
  defaultText: 'the demo model',
};

export const loadFlags: readonly OptionSpec[] = [
  modelOption,
  { flags: '-t, --threads <n>', help: 'threads', defaultText: 'the physical cores', parse: integer(1, 256) },
  {
    flags: '-c, --context-length <n>',
    help: 'positions for prompt and answer',
    defaultText: "the checkpoint's",
    parse: integer(1),
  },
  {
    flags: '--type <type>',
    help: 'quantize while loading: Q8_0, Q4_K_M, ... (see neox quantize --help)',
    defaultText: 'as stored',
    parse: fileType,
  },
  { flags: '--cache', help: 'with --type: keep the quantized copy, and take it the next time' },
  {
    flags: '--cache-folder <path>',
    help: 'where copies are kept',
    defaultText: "gpt-neox/quantized in the user's cache",
  },
  {
    flags: '--precision <precision>',
    help: 'arithmetic',
    choices: ['exact', 'high', 'fast'],
    defaultText: "by the weights' type",
  },
  {
    flags: '--kv-cache-type <type>',
    help: 'type of the KV cache',
    choices: ['f32', 'f16', 'q8_0'],
    defaultText: 'f16, f32 with precision exact',
  },
  {
    flags: '--device <device>',
    help: 'device; auto takes the GPU where it works and has room',
    choices: ['auto', 'cpu', 'cuda'],
    defaultText: 'auto',
  },
  {
    flags: '-ngl, --gpu-layers <n>',
    help: 'how many of the last layers the GPU takes',
    defaultText: 'as many as fit; all with --device cuda',
    parse: integer(0),
  },
  { flags: '--deterministic', help: 'on a GPU: the same bits whatever else is in the batch' },
];

/** Of the commands that talk with a model. */
export const chatFormatOption: OptionSpec = {
  flags: '--chat-format <name>',
  help: 'how conversations are written',
  choices: Object.keys(CHAT_FORMATS),
  defaultText: "the model's",
};

export type LoadFlags = { model?: string; cache?: boolean; cacheFolder?: string } & Pick<
  LoadOptions,
  | 'threads'
  | 'contextLength'
  | 'type'
  | 'precision'
  | 'kvCacheType'
  | 'device'
  | 'gpuLayers'
  | 'deterministic'
  | 'chatFormat'
>;

/** The path that `-m` names, or the demo model's. */
export function modelPath(options: { model?: string }): string {
  return options.model ?? demoModelPath();
}

/** Loads for one sequence at a time. An interrupt ends it. */
export async function loadModel(options: LoadFlags, io: Io, defaults: LoadOptions = {}): Promise<Model> {
  const given = pickLoad(options);
  const model = await io.interrupts.during((signal) =>
    withProgress(io, 'loading', (onProgress) =>
      Model.load(modelPath(options), { maxSequences: 1, ...defaults, ...given, onProgress, signal }),
    ),
  );
  const { deviceNote } = model.info;
  if (deviceNote !== undefined && isExpected(given)) await io.err.line(`neox: ${deviceNote}`);
  return model;
}

/** Whether something is to be said where the GPU has not all layers: one was asked for, or its library is there. */
function isExpected({ device, gpuLayers }: LoadOptions): boolean {
  if (gpuLayers === 0) return false;
  return device !== undefined || gpuLayers !== undefined || hasCudaLibrary();
}

// Commands hand in all their options; only those of loading go on.
function pickLoad(options: LoadFlags): LoadOptions {
  const { threads, contextLength, type, precision, kvCacheType, chatFormat, cacheFolder } = options;
  const { device, gpuLayers, deterministic } = options;
  const cache = cacheFolder ?? options.cache;
  if (cache !== undefined && type === undefined) throw new UsageError('--cache needs --type.');
  const own = { device, gpuLayers, deterministic };
  const all = { threads, contextLength, type, precision, kvCacheType, ...own, chatFormat, cache };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
