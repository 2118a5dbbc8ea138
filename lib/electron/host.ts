// `gpt-neox/electron-host`: serves models to pages, each over a port of its own. Made for Electron's utility process; it runs
// wherever Node and a MessagePort are.

import { Connection } from './connection.js';
import { type HostedModel, HostedModels } from './hosted-models.js';
import type { PortLike } from './port.js';

export type { HostedModel } from './hosted-models.js';
export type { AnyPort, EmitterPort, EventPort, PortLike } from './port.js';
export type { LoadedSummary, ModelName, ModelSummary } from './protocol.js';

/** What a host offers. */
export interface ModelHostOptions {
  /** What pages may load, by id; they can name nothing else. `addModel` adds to them. */
  models: readonly HostedModel[];
}

/**
 * Offers models to pages. A page is not trusted: it names models by id, its messages are checked, and what it may have open at
 * once is bounded. Pages that load the same model share it, and their calls run in one batch.
 *
 * @example
 * const host = new ModelHost({ models: [{ id: 'demo', path: demoModelPath() }] });
 * process.parentPort.on('message', ({ ports: [port] }) => host.serve(port));
 */
export class ModelHost {
  readonly #models = new HostedModels();
  readonly #connections = new Set<Connection>();

  /** @throws ArgumentError */
  constructor({ models }: ModelHostOptions) {
    for (const model of models) this.#models.add(model);
  }

  /** From now on pages may load this one, too. @throws ArgumentError, also for an id that there is already */
  addModel(model: HostedModel): void {
    this.#models.add(model);
  }

  /**
   * Answers the page at the other end of this port, which `connect` of `gpt-neox/electron-client` has taken. When the port closes, or
   * says something that is no request, everything that belongs to it is cancelled and freed.
   * @returns ends it from this side: the port closes, and the promise resolves when everything of it is freed; again, it does nothing more
   */
  serve(port: PortLike): () => Promise<void> {
    const connection = new Connection(port, this.#models, () => this.#connections.delete(connection));
    this.#connections.add(connection);
    return () => connection.end();
  }

  /** Closes every port and gives all memory back, also that of ports that closed just before. Ports that come later are served as before. */
  async dispose(): Promise<void> {
    await Promise.all([...this.#connections].map((connection) => connection.end()));
  }

  /** `dispose`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
