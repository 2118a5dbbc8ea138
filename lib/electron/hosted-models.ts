// The models that a host has to offer. Several pages that load one model share it; it goes when the last one lets go of it.

import {
  ArgumentError,
  type InspectOptions,
  type LoadOptions,
  Model,
  NeoxError,
  type Progress,
} from '../index.js';
import type { ModelName, ModelSummary } from './protocol.js';

/** A model that pages may load. They see its id and name; the path and the options stay with the host. */
export interface HostedModel {
  /** What pages call it; not empty, and the only one of that id. */
  id: string;
  /** What `Model.load` takes. */
  path: string;
  /** For people. @defaultValue the last part of the path */
  name?: string;
  /** How it is loaded. @defaultValue those of `Model.load` */
  options?: Omit<LoadOptions, 'onProgress' | 'signal'>;
}

/** A loaded model, until `release`. */
export interface Lease {
  readonly model: Model;
  release(): Promise<void>;
}

interface Loading {
  readonly model: Promise<Model>;
  readonly controller: AbortController;
  readonly listeners: Set<(progress: Progress) => void>;
  progress: Progress | undefined;
  users: number;
}

const INSPECT_OPTIONS = [
  'contextLength',
  'type',
  'precision',
  'kvCacheType',
  'maxSequences',
  'kvCacheBytes',
] as const satisfies readonly (keyof InspectOptions)[];

export class HostedModels {
  readonly #models = new Map<string, HostedModel>();
  readonly #loaded = new Map<string, Loading>();
  readonly #onError: (error: unknown) => void;

  /** @param onError - is told what could not be freed when nobody waited for it */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** @throws ArgumentError */
  add(model: HostedModel): void {
    for (const key of ['id', 'path'] as const) {
      if (typeof model?.[key] !== 'string' || model[key] === '') {
        throw new ArgumentError(`Expected text that is not empty for \`${key}\` of a hosted model.`);
      }
    }
    if (this.#models.has(model.id)) {
      throw new ArgumentError(`There is a hosted model with the id '${model.id}' already.`);
    }
    this.#models.set(model.id, { ...model });
  }

  names(): ModelName[] {
    return [...this.#models.values()].map(({ id, path, name }) => ({
      id,
      name: name ?? path.split(/[\\/]/).findLast((part) => part !== '') ?? path,
    }));
  }

  async inspect(id: string): Promise<ModelSummary> {
    const { path, name, options = {} } = this.#find(id);
    const given = Object.fromEntries(
      INSPECT_OPTIONS.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]]])),
    );
    const found = await Model.inspect(path, given);
    const { type, fileType, format, fileBytes, contextLength, config, hasTokenizer, memory } = found;
    const { chatFormat = found.chatFormat } = options;
    return {
      id,
      name: name ?? found.name,
      type,
      ...(fileType ? { fileType } : {}),
      format,
      fileBytes,
      contextLength,
      memoryBytes: memory.weightsBytes + memory.kvCacheBytes + memory.scratchBytes,
      config,
      hasTokenizer,
      chatFormat: (typeof chatFormat === 'string' ? chatFormat : chatFormat?.name) ?? null,
    };
  }

  /** Rejects with `signal.reason` after an abort; the load goes on when somebody else waits for it. */
  async acquire(id: string, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<Lease> {
    const { path, options = {} } = this.#find(id);
    const loading = this.#loaded.get(id) ?? this.#load(id, path, options);
    loading.users++;
    loading.listeners.add(onProgress);
    if (loading.progress) onProgress(loading.progress);
    let isHeld = true;
    const release = async (): Promise<void> => {
      if (!isHeld) return;
      isHeld = false;
      await this.#leave(id, loading);
    };
    try {
      return { model: await unlessAborted(loading.model, signal), release };
    } catch (error) {
      await release().catch(this.#onError);
      throw error;
    } finally {
      loading.listeners.delete(onProgress);
    }
  }

  #load(id: string, path: string, options: LoadOptions): Loading {
    const controller = new AbortController();
    const listeners: Loading['listeners'] = new Set();
    const onProgress = (progress: Progress): void => {
      loading.progress = progress;
      for (const listener of listeners) listener(progress);
    };
    const model = Model.load(path, { ...options, onProgress, signal: controller.signal });
    const loading: Loading = { model, controller, listeners, progress: undefined, users: 0 };
    this.#loaded.set(id, loading);
    return loading;
  }

  async #leave(id: string, loading: Loading): Promise<void> {
    if (--loading.users > 0) return;
    if (this.#loaded.get(id) === loading) this.#loaded.delete(id);
    loading.controller.abort();
    const model = await loading.model.catch(() => undefined);
    await model?.dispose();
  }

  #find(id: string): HostedModel {
    const model = this.#models.get(id);
    if (model) return model;
    throw new NeoxError(
      'ERR_NEOX_FILE_NOT_FOUND',
      `The host offers no model with the id '${id.slice(0, 60)}'.`,
    );
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}
