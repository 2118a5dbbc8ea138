// `gpt-neox/electron-client`: models of a host, as a page sees them. Runs in a sandboxed page: it needs neither Node nor Electron.

import type { GenerateOptions, Message, OverflowOptions, Progress, Prompt } from '../index.js';
import { Channel } from './channel.js';
import type { PortLike } from './port.js';
import type { LoadedSummary, ModelName, ModelSummary, WireOptions } from './protocol.js';
import { RemoteError } from './remote-error.js';
import { RemoteGeneration } from './remote-generation.js';

export type { AnyPort, EmitterPort, EventPort, PortLike } from './port.js';
export type { LoadedSummary, ModelName, ModelSummary } from './protocol.js';
export { RemoteError } from './remote-error.js';
export { RemoteGeneration } from './remote-generation.js';

/** Those of `Model.generate` and `Model.chat`, but for `logitsProcessor`: functions cannot cross. */
export interface RemoteGenerateOptions extends Omit<GenerateOptions, 'logitsProcessor'> {}

/** Options of a session's calls, but for `logitsProcessor`. */
export interface RemoteSessionOptions extends RemoteGenerateOptions {
  /** See `SessionGenerateOptions.replace`. @defaultValue `false` */
  replace?: boolean;
}

/** Of {@link Client.load}. */
export interface RemoteLoadOptions {
  /** Called from time to time with the bytes read, and once at the end; the load ends with what it throws. @defaultValue none */
  onProgress?: (progress: Progress) => void;
  /** Ends the load, which then rejects with `signal.reason`. @defaultValue none */
  signal?: AbortSignal;
}

/** Takes a port whose other end a `ModelHost` serves. */
export function connect(port: PortLike): Client {
  return new Client(port);
}

/** What a host offers. Everything rejects with a `RemoteError`, `ERR_NEOX_DISPOSED` once the connection is closed. */
export class Client {
  readonly #channel: Channel;

  /** @internal Use `connect`. */
  constructor(port: PortLike) {
    this.#channel = new Channel(port);
  }

  /** Resolves when the connection has ended: the host is gone, or `close` was called. */
  get closed(): Promise<void> {
    return this.#channel.closed;
  }

  /** The models that this page may load. */
  async models(): Promise<ModelName[]> {
    return (await this.#channel.ask<ModelName[]>({ type: 'models' })).value;
  }

  /** What a model says about itself and takes; only its header is read. */
  async inspect(id: string): Promise<ModelSummary> {
    return (await this.#channel.ask<ModelSummary>({ type: 'inspect', model: id })).value;
  }

  /** Loads a model, or joins other pages that have loaded it. */
  async load(id: string, options: RemoteLoadOptions = {}): Promise<RemoteModel> {
    const { id: target, value } = await this.#channel.ask<LoadedSummary>(
      { type: 'load', model: id },
      options,
    );
    const model = new RemoteModel(this.#channel, target, value);
    if (!options.signal?.aborted) return model;
    await model.dispose();
    throw options.signal.reason;
  }

  /** Ends the connection; the host cancels and frees everything of this page. */
  close(): void {
    this.#channel.close();
  }
}

class Remote {
  /** @internal */
  protected readonly channel: Channel;
  /** @internal */
  protected readonly target: number;

  /** @internal */
  constructor(channel: Channel, target: number) {
    this.channel = channel;
    this.target = target;
  }

  /** As `generate` of the engine, except that options are checked by the host: what is wrong with them, the first read rejects with. */
  generate(prompt: Prompt, { signal, ...options }: RemoteSessionOptions = {}): RemoteGeneration {
    return this.start({ type: 'generate', prompt }, options, signal);
  }

  /** As `chat` of the engine; options are checked by the host. */
  chat(messages: readonly Message[], { signal, ...options }: RemoteSessionOptions = {}): RemoteGeneration {
    return this.start({ type: 'chat', messages }, options, signal);
  }

  /** Gives the memory back; calls that run end as cancelled. A second call does nothing, nor one when the host is gone. */
  async dispose(): Promise<void> {
    try {
      await this.channel.ask({ type: 'dispose', target: this.target });
    } catch (error) {
      if (!(error instanceof RemoteError) || error.code !== 'ERR_NEOX_DISPOSED') throw error;
    }
  }

  /** `dispose`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  private start(
    call: { type: 'chat'; messages: readonly Message[] } | { type: 'generate'; prompt: Prompt },
    options: WireOptions,
    signal: AbortSignal | undefined,
  ): RemoteGeneration {
    return new RemoteGeneration(this.channel, { ...call, target: this.target, options }, signal);
  }
}

/** A model in the host. */
export class RemoteModel extends Remote {
  /** How it runs, and what it is. */
  readonly summary: Readonly<LoadedSummary>;

  /** @internal Use `Client.load`. */
  constructor(channel: Channel, target: number, summary: LoadedSummary) {
    super(channel, target);
    this.summary = summary;
  }

  /** A conversation or text that keeps its KV cache from call to call; see `Session`. */
  async createSession(options: OverflowOptions = {}): Promise<RemoteSession> {
    const made = await this.channel.ask({ type: 'createSession', target: this.target, options });
    return new RemoteSession(this.channel, made.id);
  }
}

/** A session in the host: one call runs at a time, another one meanwhile is `ERR_NEOX_BUSY`. */
export class RemoteSession extends Remote {}
