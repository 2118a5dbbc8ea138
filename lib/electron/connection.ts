// One page: its requests, and the models and sessions that it holds. When its port closes, all of that ends.

import {
  ArgumentError,
  DisposedError,
  type Generation,
  type Model,
  NeoxError,
  type Session,
} from '../index.js';
import type { HostedModels, Lease } from './hosted-models.js';
import { listen, type PortLike } from './port.js';
import type { GenerationBody, LoadedSummary, Reply, Request, RequestBody, WireError } from './protocol.js';
import { MAX_OPEN } from './protocol.js';
import { checkRequest, requestId } from './requests.js';
import { Work } from './work.js';

type Target = { lease: Lease; session?: undefined } | { session: Session; of: number };

export class Connection {
  readonly #port: PortLike;
  readonly #models: HostedModels;
  readonly #onEnd: () => void;
  readonly #work = new Map<number, Work>();
  readonly #targets = new Map<number, Target>();
  #lastId = 0;
  #ending: Promise<void> | undefined;

  /** @param onEnd - everything of the page was freed, or the engine has refused to */
  constructor(port: PortLike, models: HostedModels, onEnd: () => void) {
    this.#port = port;
    this.#models = models;
    this.#onEnd = onEnd;
    listen(
      port,
      (data) => this.#take(data),
      () => void this.end(),
    );
  }

  /** Cancels and frees everything of this page. Resolves when the engine has let go of it. */
  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    try {
      this.#port.close();
      const all = [...this.#work.values()];
      for (const work of all) work.cancel();
      await Promise.all(all.map((work) => work.ended));
      for (const id of this.#targets.keys()) await this.#dispose(id);
    } finally {
      this.#onEnd();
    }
  }

  #take(data: unknown): void {
    if (this.#ending) return;
    const id = requestId(data);
    // Nobody can be told what is wrong with a message that is no request.
    if (id === undefined) return void this.end();
    try {
      const request = checkRequest(data);
      if (request.type === 'credit') this.#work.get(id)?.grant(request.chunks);
      else if (request.type === 'cancel') this.#work.get(id)?.cancel();
      else if (id <= this.#lastId) void this.end();
      else {
        this.#lastId = id;
        void this.#run(id, request);
      }
    } catch (error) {
      this.#send({ type: 'error', id, error: toWire(error) });
    }
  }

  async #run(id: number, request: Request & RequestBody): Promise<void> {
    const work = new Work(isGeneration(request) ? request : undefined);
    try {
      if (this.#work.size >= MAX_OPEN) {
        throw new NeoxError(
          'ERR_NEOX_BUSY',
          `More than ${MAX_OPEN} requests of one page wait for an answer.`,
        );
      }
      this.#work.set(id, work);
      const value = await this.#perform(id, request, work);
      this.#send({ type: 'result', id, value });
    } catch (error) {
      this.#send({ type: 'error', id, error: toWire(error) });
    } finally {
      this.#work.delete(id);
      work.end();
    }
  }

  async #perform(id: number, request: Request & RequestBody, work: Work): Promise<unknown> {
    switch (request.type) {
      case 'models':
        return this.#models.names();
      case 'inspect':
        return this.#models.inspect(request.model);
      case 'load':
        return this.#load(id, request.model, work);
      case 'createSession':
        this.#assertRoom();
        this.#targets.set(id, {
          session: this.#model(request.target).createSession(request.options),
          of: request.target,
        });
        return undefined;
      case 'chat':
      case 'generate':
        return work.stream(this.#generation(request), (chunk) => this.#send({ type: 'chunk', id, chunk }));
      case 'dispose':
        return this.#dispose(request.target);
    }
  }

  async #load(id: number, name: string, work: Work): Promise<LoadedSummary> {
    this.#assertRoom();
    const lease = await this.#models.acquire(
      name,
      ({ done, total }) => this.#send({ type: 'progress', id, done, total }),
      work.signal,
    );
    if (this.#ending) {
      await lease.release();
      throw new DisposedError('The page is gone.');
    }
    this.#targets.set(id, { lease });
    const { info, config, hasTokenizer, chatFormat, generationDefaults } = lease.model;
    return { info, config, hasTokenizer, chatFormat: chatFormat?.name ?? null, generationDefaults };
  }

  #generation(request: GenerationBody): Generation {
    const target = this.#target(request.target);
    const on: Model | Session = target.session ?? target.lease.model;
    return request.type === 'chat'
      ? on.chat(request.messages, request.options)
      : on.generate(request.prompt, request.options);
  }

  // Calls that run are cancelled; a model takes its sessions along, and lives on where another page uses it.
  async #dispose(id: number): Promise<void> {
    const target = this.#targets.get(id);
    if (!target) return;
    this.#targets.delete(id);
    const calls = [...this.#work.values()].filter((work) => work.target === id);
    for (const call of calls) call.cancel();
    await Promise.all(calls.map((call) => call.ended));
    if (target.session) return target.session.dispose();
    for (const [other, each] of this.#targets) {
      if (each.session && each.of === id) await this.#dispose(other);
    }
    await target.lease.release();
  }

  #model(id: number): Model {
    const target = this.#target(id);
    if (!target.session) return target.lease.model;
    throw new ArgumentError('A session has no sessions of its own: name its model.');
  }

  #target(id: number): Target {
    const target = this.#targets.get(id);
    if (target) return target;
    throw new DisposedError('The model or session was disposed, or this page never had it.');
  }

  #assertRoom(): void {
    if (this.#targets.size < MAX_OPEN) return;
    throw new NeoxError(
      'ERR_NEOX_BUSY',
      `More than ${MAX_OPEN} models and sessions of one page: dispose some.`,
    );
  }

  #send(reply: Reply): void {
    if (!this.#ending) this.#port.postMessage(reply);
  }
}

function isGeneration(request: Request): request is Request & GenerationBody {
  return request.type === 'chat' || request.type === 'generate';
}

function toWire(error: unknown): WireError {
  if (error instanceof NeoxError) {
    const { code, message, name } = error;
    return { code, message, name };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'ERR_NEOX_INTERNAL', message, name: 'NeoxError' };
}
