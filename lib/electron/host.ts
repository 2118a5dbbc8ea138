// `gpt-neox/electron-host`: serves models to pages, each over a port of its own. Made for Electron's utility process; it runs
// wherever Node and a MessagePort are.

import { ArgumentError } from '../index.js';
import { Connection } from './connection.js';
import { type HostedModel, HostedModels } from './hosted-models.js';
import { PageTurns } from './page-turns.js';
import type { PortLike } from './port.js';
import { messageOf, tryAll } from './try-all.js';

export type { HostedModel } from './hosted-models.js';
export type { AnyPort, EmitterPort, EventPort, PortLike } from './port.js';
export type { LoadedSummary, ModelName, ModelSummary } from './protocol.js';

/** What a host offers. */
export interface ModelHostOptions {
  /** What pages may load, by id; they can name nothing else. `addModel` adds to them. */
  models: readonly HostedModel[];
  /**
   * Is told why something of a page could not be freed when the page ended by itself: when its port closed, when it asked for its next
   * one, or when it gave up a load. The rest of the page has been freed, and the host goes on.
   * @defaultValue a warning of the process
   */
  onError?: (error: unknown) => void;
}

/** Of one port. */
export interface ServeOptions {
  /**
   * Who is at the other end, such as the id of an Electron `WebContents`. A page has one port: its next one ends the one before, and is
   * answered when everything that was begun there has ended; of several that wait only the last one stays.
   * @defaultValue a page that has no other port
   */
  page?: number | string;
}

/**
 * Offers models to pages. A page is not trusted: it names models by id, its messages are checked, and what it may have open at
 * once is bounded. Pages that load the same model share it, and their calls run in one batch.
 *
 * @example
 * const host = new ModelHost({ models: [{ id: 'demo', path: demoModelPath() }] });
 * process.parentPort.on('message', ({ data: { page }, ports: [port] }) => host.serve(port, { page }));
 */
export class ModelHost {
  readonly #models: HostedModels;
  readonly #onError: (error: unknown) => void;
  readonly #connections = new Set<Connection>();
  readonly #pages = new Map<number | string, PageTurns>();

  /** @throws ArgumentError */
  constructor({ models, onError = warn }: ModelHostOptions) {
    if (typeof onError !== 'function') {
      throw new ArgumentError('Expected a function for `onError` of a model host.');
    }
    this.#onError = onError;
    this.#models = new HostedModels(onError);
    for (const model of models) this.#models.add(model);
  }

  /** From now on pages may load this one, too. @throws ArgumentError, also for an id that there is already */
  addModel(model: HostedModel): void {
    this.#models.add(model);
  }

  /**
   * Answers the page at the other end of this port, which `connect` of `gpt-neox/electron-client` has taken. When the port closes, or
   * says something that is no request, everything that belongs to it is cancelled and freed.
   * @returns ends it from this side: the port closes, and the promise resolves when everything of it is freed, or rejects when something
   * cannot be; again, it does nothing more
   * @throws ArgumentError
   */
  serve(port: PortLike, { page }: ServeOptions = {}): () => Promise<void> {
    if (page !== undefined && typeof page !== 'number' && typeof page !== 'string') {
      throw new ArgumentError('Expected a number or text for `page` of a served port.');
    }
    const connection = new Connection(port, this.#models, this.#onError);
    this.#connections.add(connection);
    void connection.ended.then(() => this.#connections.delete(connection));
    if (page === undefined) connection.begin();
    else this.#turnsOf(page).take(connection);
    return () => connection.end();
  }

  /**
   * Closes every port and gives all memory back, also that of ports that closed just before. Ports that come later are served as before.
   * It rejects when something cannot be freed, but after all the rest was.
   */
  async dispose(): Promise<void> {
    const ends = [...this.#connections].map((connection) => connection.end());
    await Promise.allSettled(ends);
    await tryAll(ends.map((end) => () => end));
  }

  /** `dispose`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #turnsOf(page: number | string): PageTurns {
    const known = this.#pages.get(page);
    if (known) return known;
    const turns = new PageTurns(() => this.#pages.delete(page));
    this.#pages.set(page, turns);
    return turns;
  }
}

function warn(error: unknown): void {
  process.emitWarning(`Something of a page could not be freed: ${messageOf(error)}`, 'NeoxWarning');
}
