// A Hugging Face directory to one GGUF file.

import { detectChatFormat, resolveChatFormat } from './chat.js';
import { chatTemplate } from './chat-template.js';
import { checkTypeOptions, TYPE_OPTIONS, type TypeOptions } from './file-types.js';
import { modelNameOf, resolveModelPath } from './hub-cache.js';
import type { JobResult } from './job-types.js';
import { checkJobOptions, JOB_OPTIONS, type JobOptions, runJob } from './jobs.js';
import { modelNames } from './model-names.js';
import { native } from './native.js';
import { assertNotInput } from './output-path.js';
import { checkRoundingOptions, ROUNDING_OPTIONS } from './rounding-options.js';
import type { RoundingOptions } from './types.js';
import { assertKnownOptions, assertString } from './validate.js';

/** Without a `type`, the matrices keep the checkpoint's. */
export interface ConvertOptions extends JobOptions, TypeOptions, RoundingOptions {
  /** The model's name in the file. @defaultValue the directory's name */
  name?: string;
  /** Name of one of `CHAT_FORMATS`. @defaultValue by the directory's own name or what its config.json was made from, whatever `name` says */
  chatFormat?: string;
}

/**
 * Writes `output`, the tokenizer in it byte for byte. The file appears only when all of it is written, in place of one that was
 * there, but never of one of the checkpoint's.
 * @param directory - with config.json, model.safetensors or pytorch_model.bin (or shards of either) and, if the model has one, spiece.model or tokenizer.json
 * @throws FormatError, ArgumentError; `ERR_NEOX_IO`
 */
export async function convert(
  directory: string,
  output: string,
  options: ConvertOptions = {},
): Promise<JobResult> {
  assertString('directory', directory);
  assertString('output', output);
  assertKnownOptions('convert', options, [
    'name',
    'chatFormat',
    ...TYPE_OPTIONS,
    ...ROUNDING_OPTIONS,
    ...JOB_OPTIONS,
  ]);
  checkJobOptions(options);
  const types = { ...checkTypeOptions(options), ...checkRoundingOptions(options) };
  if (options.name !== undefined) assertString('name', options.name);
  if (options.chatFormat !== undefined) assertString('chatFormat', options.chatFormat);
  const ownName = modelNameOf(directory);
  const { name = ownName, chatFormat } = options;
  const format =
    chatFormat === undefined
      ? detectChatFormat({ names: modelNames(directory) })
      : resolveChatFormat(chatFormat);
  const source = resolveModelPath(directory);
  assertNotInput(source, output);
  const job = {
    source,
    output,
    name,
    ...types,
    ...(format ? { chatFormat: format.name, chatTemplate: chatTemplate(format) } : {}),
  };
  return runJob((report) => native().convert(job, report), options);
}
