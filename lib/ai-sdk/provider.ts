// Where the AI SDK gets its models from: loaded ones, or paths that are loaded when they are first used.

import { DisposedError, type EmbedOptions, type LoadOptions, Model, NeoxError } from '../index.js';
import { createEmbeddingModel, type NeoxEmbeddingModel } from './embedding-model.js';
import { createLanguageModel, type NeoxLanguageModel } from './language-model.js';
import type { LanguageModelSettings } from './options.js';

/** Call it for a language model: `neox(model)`, or `neox(path)` for what `Model.load` takes. */
export interface NeoxProvider {
  /** What a path names is loaded by the first call that needs it, and kept; a call that is aborted leaves the load to the next. */
  (model: Model | string, settings?: LanguageModelSettings): NeoxLanguageModel;
  /** Of the specification. */
  readonly specificationVersion: 'v3';
  /** The same as calling the provider. */
  languageModel(model: Model | string, settings?: LanguageModelSettings): NeoxLanguageModel;
  /** Embeds texts as `Model.embed` does. */
  embeddingModel(model: Model | string, options?: Omit<EmbedOptions, 'signal'>): NeoxEmbeddingModel;
  /** @throws NeoxError `ERR_NEOX_UNSUPPORTED`: no model of this package makes images */
  imageModel(modelId: string): never;
  /** Disposes of the models that were loaded by path, and ends loads; calls that use them reject with `ERR_NEOX_DISPOSED`. */
  dispose(): Promise<void>;
  /** The same as `dispose`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * A provider for the AI SDK (`ai` 6 and later).
 * @param options - for the models that are loaded by path
 *
 * @example
 * const neox = createNeox();
 * const { text } = await generateText({ model: neox(demoModelPath()), prompt: '富士山の高さは?' });
 * await neox.dispose();
 */
export function createNeox(options: Omit<LoadOptions, 'signal'> = {}): NeoxProvider {
  const loads = new Map<string, Promise<Model>>();
  const disposal = new AbortController();

  const load = (path: string): Promise<Model> => {
    if (disposal.signal.aborted) return Promise.reject(new DisposedError('The provider was disposed.'));
    const known = loads.get(path);
    if (known) return known;
    const loading = Model.load(path, { ...options, signal: disposal.signal });
    loads.set(path, loading);
    // What failed may work the next time.
    loading.catch(() => loads.delete(path));
    return loading;
  };
  const named = (model: Model | string): [(signal?: AbortSignal) => Promise<Model>, string] =>
    model instanceof Model
      ? [async () => model, model.info.name]
      : [(signal) => unlessAborted(() => load(model), signal), model];

  const languageModel: NeoxProvider['languageModel'] = (model, settings = {}) =>
    createLanguageModel(...named(model), settings);
  const dispose = async (): Promise<void> => {
    disposal.abort(new DisposedError('The provider was disposed.'));
    const models = await Promise.allSettled(loads.values());
    await Promise.all(models.map((each) => (each.status === 'fulfilled' ? each.value.dispose() : undefined)));
  };
  // Omitting nothing drops the call signature alone.
  const rest: Omit<NeoxProvider, never> = {
    specificationVersion: 'v3',
    languageModel,
    embeddingModel: (model, own = {}) => createEmbeddingModel(...named(model), own),
    imageModel: (modelId) => {
      throw new NeoxError('ERR_NEOX_UNSUPPORTED', `There is no image model '${modelId}'.`);
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
  const provider: NeoxProvider['languageModel'] = (model, settings) => languageModel(model, settings);
  return Object.assign(provider, rest);
}

async function unlessAborted<T>(start: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal?.reason);
    signal?.addEventListener('abort', leave, { once: true });
    start()
      .then(resolve, reject)
      .finally(() => signal?.removeEventListener('abort', leave));
  });
}
