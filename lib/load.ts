// Loading a model, by way of the cache of quantized copies where that is asked for.

import { resolveChatFormat } from './chat.js';
import { resolveModelPath } from './hub-cache.js';
import { runJob } from './jobs.js';
import { checkLoadOptions } from './load-options.js';
import type { LoadOptions } from './load-types.js';
import { LoadedModel } from './loaded-model.js';
import { native } from './native.js';
import type { NativeLoadOptions } from './native-load-types.js';
import { quantizedCopy } from './quantized-cache.js';
import type { Progress } from './types.js';
import { assertString } from './validate.js';
import type { FileType } from './weight-types.js';

/** @throws what `Model.load` throws */
export async function loadModel(path: string, options: LoadOptions): Promise<LoadedModel> {
  assertString('path', path);
  const file = resolveModelPath(path);
  const given = checkLoadOptions(options);
  if (options.chatFormat !== undefined) resolveChatFormat(options.chatFormat);
  if (!options.cache) return read(path, file, given, options);
  const { type, ...untyped } = given;
  const { onProgress } = options;
  // The copy is as large in the cache as in memory: writing it is the first half of the work.
  const writing = onProgress && (({ done, total }: Progress) => onProgress({ done, total: 2 * total }));
  const jobs = { ...options, ...(writing ? { onProgress: writing } : {}) };
  const copy = await quantizedCopy(file, type as FileType, options.cache, jobs);
  if (copy === undefined) return read(path, file, given, options);
  const { writtenBytes } = copy;
  const reading =
    onProgress &&
    (({ done, total }: Progress) => onProgress({ done: writtenBytes + done, total: writtenBytes + total }));
  return read(path, copy.path, untyped, { ...options, ...(reading ? { onProgress: reading } : {}) });
}

/** @param path - as the caller named the model, whatever file is read */
async function read(
  path: string,
  file: string,
  given: NativeLoadOptions,
  options: LoadOptions,
): Promise<LoadedModel> {
  let isReported = false;
  const onProgress =
    options.onProgress &&
    ((progress: Progress): void => {
      isReported = true;
      options.onProgress?.(progress);
    });
  const loaded = await runJob(
    (report) => native().loadModel(file, given, report),
    { ...options, ...(onProgress ? { onProgress } : {}) },
    (late) => late.dispose(),
  );
  let model: LoadedModel;
  try {
    model = new LoadedModel(loaded, path, options.chatFormat);
    // Weights that another load has read already are there at once.
    const { weightsBytes } = model.info;
    if (!isReported) onProgress?.({ done: weightsBytes, total: weightsBytes });
  } catch (error) {
    await loaded.dispose();
    throw error;
  }
  warnOf(model, given);
  return model;
}

function warnOf({ config, info, isRequantized }: LoadedModel, { contextLength }: NativeLoadOptions): void {
  const trained = config.maxPositionEmbeddings;
  const warnings: string[] = [];
  if (contextLength !== undefined && contextLength > trained) {
    warnings.push(
      `contextLength ${contextLength} exceeds the ${trained} positions that '${info.name}' was trained with.`,
    );
  }
  if (isRequantized) {
    warnings.push(
      `'${info.name}' is quantized already; quantizing it again adds one error to another. Load the original.`,
    );
  }
  for (const warning of warnings) process.emitWarning(warning, 'NeoxWarning');
}
