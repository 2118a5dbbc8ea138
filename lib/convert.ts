// A Hugging Face directory to one GGUF file.

import { detectChatFormat, resolveChatFormat } from './chat.js';
import { modelNameOf, resolveModelPath } from './hub-cache.js';
import { checkJobOptions, JOB_OPTIONS, type JobOptions, runJob } from './jobs.js';
import { native } from './native.js';
import type { JobResult, TensorType } from './types.js';
import { assertKnownOptions, assertOneOf, assertString } from './validate.js';

/** Types that a file can be written in. */
export const TENSOR_TYPES: readonly TensorType[] = ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0'];

export interface ConvertOptions extends JobOptions {
  /** Of the matrices. @defaultValue the checkpoint's */
  type?: TensorType;
  /** The model's name in the file. @defaultValue the directory's name */
  name?: string;
  /** Name of one of `CHAT_FORMATS`. @defaultValue by the directory's own name, whatever `name` says */
  chatFormat?: string;
}

/**
 * Writes `output`, the tokenizer in it byte for byte. The file appears only when all of it is written.
 * @param directory - with config.json, model.safetensors and, if the model has one, spiece.model
 * @throws FormatError, ArgumentError; `ERR_NEOX_IO`
 */
export async function convert(
  directory: string,
  output: string,
  options: ConvertOptions = {},
): Promise<JobResult> {
  assertString('directory', directory);
  assertString('output', output);
  assertKnownOptions('convert', options, ['type', 'name', 'chatFormat', ...JOB_OPTIONS]);
  checkJobOptions(options);
  if (options.type !== undefined) assertOneOf('type', options.type, TENSOR_TYPES);
  if (options.name !== undefined) assertString('name', options.name);
  if (options.chatFormat !== undefined) assertString('chatFormat', options.chatFormat);
  const ownName = modelNameOf(directory);
  const { type, name = ownName, chatFormat } = options;
  const format =
    chatFormat === undefined ? detectChatFormat({ names: [ownName] }) : resolveChatFormat(chatFormat);
  const job = {
    source: resolveModelPath(directory),
    output,
    name,
    ...(type === undefined ? {} : { type }),
    ...(format ? { chatFormat: format.name } : {}),
  };
  return runJob((report) => native().convert(job, report), options);
}
