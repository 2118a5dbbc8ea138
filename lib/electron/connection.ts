// One port of a page: its requests, and the models and sessions that it holds. When the port closes, all of that ends.

import {
  ArgumentError,
  DisposedError,
  type Generation,
  type Model,
  NeoxError,
  type Session,
} from '../index.js';
import type { HostedModels, Lease } from './hosted-models.js';
import { listen, type PortLike, whenClosed } from './port.js';
import type { GenerationBody, LoadedSummary, Reply, Request, RequestBody, WireError } from './protocol.js';
import { MAX_OPEN } from './protocol.js';
import { checkRequest, requestId } from './requests.js';
import { messageOf, tryAll } from './try-all.js';
import { Work } from './work.js';

// What a port that waits for its turn may have sent, beyond what a page can have open with all that belongs to it.
const MAX_HELD = 4 * MAX_OPEN;

type Target = { lease: Lease; session?: undefined } | { session: Session; of: number };

export class Connection {
  /** Resolves when everything of the page was freed, or could not be. */
  readonly ended: Promise<void>;
  readonly #port: PortLike;
  readonly #models: HostedModels;
  readonly #onError: (error: unknown) => void;
  readonly #work = new Map<number, Work>();
  readonly #targets = new Map<number, Target>();
  #lastId = 0;
  #held: unknown[] | undefined;
  #ending: Promise<void> | undefined;
  #onEnded: () => void = () => undefined;

  /** @param onError - is told what could not be freed when the page ended without a caller of `end` */
  constructor(port: PortLike, models: HostedModels, onError: (error: unknown) => void) {
    this.#port = port;
    this.#models = models;
    this.#onError = onError;
    this.ended = new Promise((resolve) => {
      this.#onEnded = resolve;
    });
    whenClosed(port, () => this.leave());
  }

  /** The page's messages wait for `begin`. One that sends too many of them is left: a port would keep any number. */
  hold(): void {
    this.#held = [];
    this.#listen();
  }

  /** From now on the page is answered; until then its messages wait. */
  begin(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held) for (const data of held) this.#take(data);
    else this.#listen();
  }

  #listen(): void {
    if (this.#ending) return;
    try {
      listen(this.#port, (data) => this.#hear(data));
    } catch (error) {
      this.#onError(error); // the port is dead
      this.leave();
    }
  }

  /**
   * Cancels and frees everything of this page. Resolves when the engine has let go of it, and rejects when it has not let go of
   * something, but then of all the rest.
   */
  end(): Promise<void> {
    // Not at once: a port may tell of its closing while it is closed.
    this.#ending ??= Promise.resolve().then(() => this.#end());
    return this.#ending;
  }

  /** `end`, where nobody waits for it. */
  leave(): void {
    if (!this.#ending) this.end().catch(this.#onError);
  }

  async #end(): Promise<void> {
    try {
      await tryAll([
        () => this.#port.close(),
        () => cancelAll(this.#work.values()),
        () => tryAll(this.#disposals([...this.#targets.keys()])),
      ]);
    } finally {
      this.#onEnded();
    }
  }

  #hear(data: unknown): void {
    if (!this.#held) this.#take(data);
    else if (this.#held.push(data) > MAX_HELD) {
      this.#held = undefined;
      this.leave();
    }
  }

  #take(data: unknown): void {
    if (this.#ending) return;
    const id = requestId(data);
    // Nobody can be told what is wrong with a message that is no request.
    if (id === undefined) return void this.leave();
    try {
      const request = checkRequest(data);
      if (request.type === 'credit') this.#work.get(id)?.grant(request.chunks);
      else if (request.type === 'cancel') this.#work.get(id)?.cancel();
      else if (id <= this.#lastId) this.leave();
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
    this.#targets.set(id, { lease });
    const { config, hasTokenizer, chatFormat, generationDefaults } = lease.model;
    const { deviceNote: _, ...info } = lease.model.info;
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
    await cancelAll([...this.#work.values()].filter((work) => work.target === id));
    if (target.session) return target.session.dispose();
    const sessions = [...this.#targets].flatMap(([other, each]) =>
      each.session && each.of === id ? [other] : [],
    );
    await tryAll([...this.#disposals(sessions), () => target.lease.release()]);
  }

  #disposals(ids: number[]): (() => Promise<void>)[] {
    return ids.map((id) => () => this.#dispose(id));
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

async function cancelAll(works: Iterable<Work>): Promise<void> {
  const all = [...works];
  for (const work of all) work.cancel();
  await Promise.all(all.map((work) => work.ended));
}

function toWire(error: unknown): WireError {
  if (error instanceof NeoxError) {
    const { code, message, name } = error;
    return { code, message, name };
  }
  return { code: 'ERR_NEOX_INTERNAL', message: messageOf(error), name: 'NeoxError' };
}
