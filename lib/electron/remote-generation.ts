// One call of a page, read as `Generation` is read where the model is.

import type { Chunk, Result } from '../index.js';
import type { Channel } from './channel.js';
import { FIRST_CREDIT, type GenerationBody } from './protocol.js';
import { RemoteError } from './remote-error.js';

/** Granted anew when so many were read, so that the host need not wait for each. */
const GRANT = FIRST_CREDIT / 2;
interface Settle {
  resolve(result: Result): void;
  reject(error: unknown): void;
}

const DONE = { done: true, value: undefined } as const;

/**
 * The output of one call. Work starts at the first `next()` or `result()`; leaving a `for await` loop stops it. The host sends no more
 * than 16 chunks ahead of the reader.
 */
export class RemoteGeneration implements AsyncIterable<Chunk> {
  readonly #channel: Channel;
  readonly #body: GenerationBody;
  readonly #signal: AbortSignal | undefined;
  readonly #outcome: Promise<Result>;
  readonly #settle: Settle;
  readonly #chunks: Chunk[] = [];
  #id: number | undefined;
  #ungranted = 0;
  #isSettled = false;
  #isIterated = false;
  #isDrained = false;
  #wake: (() => void) | undefined;
  // Steps run one after the other, whoever asks for them.
  #turn: Promise<unknown> = Promise.resolve();

  /** @internal Use `chat` or `generate` of a model or session. */
  constructor(channel: Channel, body: Omit<GenerationBody, 'credit'>, signal: AbortSignal | undefined) {
    this.#channel = channel;
    this.#body = { ...body, credit: FIRST_CREDIT } as GenerationBody;
    this.#signal = signal;
    let settle: Settle | undefined;
    this.#outcome = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.#settle = settle as unknown as Settle;
    this.#outcome.catch(() => undefined); // for those who ask
  }

  /** The chunks as they come. `break`, `return` and `throw` stop the work, and wait until the host has stopped. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Chunk> {
    if (this.#isIterated) {
      const message = 'A generation can be read only once; result() gives the whole of it.';
      throw new RemoteError({ code: 'ERR_NEOX_INVALID_ARGUMENT', name: 'ArgumentError', message });
    }
    this.#isIterated = true;
    let isOver = false;
    const leave = async (): Promise<void> => {
      isOver = true;
      this.#start();
      this.#cancel();
      await this.#outcome.catch(() => undefined);
    };
    return {
      next: () => {
        if (!isOver) this.#start();
        const step = this.#turn.then(async () => {
          if (isOver) return DONE;
          const value = await this.#next();
          if (value) return { done: false, value } as const;
          isOver = true;
          await (this.#isCut() ? this.#cut() : this.#outcome);
          return DONE;
        });
        this.#turn = step.catch(() => undefined);
        return step;
      },
      return: async () => {
        await leave();
        return DONE;
      },
      throw: async (error: unknown) => {
        await leave();
        throw error;
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** The whole output, once it is complete; what was iterated before is part of it. Rejects like the iteration. */
  result(): Promise<Result> {
    this.#start();
    if (this.#isCut()) return this.#cut();
    this.#isDrained = true;
    this.#grant(this.#chunks.splice(0).length);
    return this.#outcome;
  }

  async #next(): Promise<Chunk | undefined> {
    while (this.#chunks.length === 0 && !this.#isSettled) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#isCut()) return undefined;
    const chunk = this.#chunks.shift();
    if (chunk) this.#grant(1);
    return chunk;
  }

  /** Aborted before everything was read: an error, also where the host had finished before. */
  #isCut(): boolean {
    return this.#chunks.length > 0 && this.#signal?.aborted === true;
  }

  async #cut(): Promise<never> {
    await this.#outcome.catch(() => undefined);
    throw this.#signal?.reason;
  }

  #start(): void {
    if (this.#id !== undefined || this.#isSettled) return;
    if (this.#signal?.aborted) {
      this.#end(() => undefined);
      return;
    }
    this.#signal?.addEventListener('abort', this.#cancel, { once: true });
    this.#id = this.#channel.open(this.#body, {
      take: (reply) => {
        if (reply.type === 'chunk') this.#take(reply.chunk);
        else if (reply.type === 'result') this.#end(() => this.#settle.resolve(reply.value as Result));
      },
      fail: (error) => this.#end(() => this.#settle.reject(error)),
    });
  }

  #take(chunk: Chunk): void {
    if (this.#isDrained) this.#grant(1);
    else this.#chunks.push(chunk);
    this.#wake?.();
  }

  #grant(chunks: number): void {
    this.#ungranted += chunks;
    if (this.#id === undefined || this.#isSettled || this.#ungranted < GRANT) return;
    this.#channel.post({ id: this.#id, type: 'credit', chunks: this.#ungranted });
    this.#ungranted = 0;
  }

  readonly #cancel = (): void => {
    if (this.#id !== undefined && !this.#isSettled) this.#channel.post({ id: this.#id, type: 'cancel' });
  };

  #end(settle: () => void): void {
    this.#isSettled = true;
    this.#signal?.removeEventListener('abort', this.#cancel);
    if (this.#signal?.aborted) this.#settle.reject(this.#signal.reason);
    else settle();
    this.#wake?.();
  }
}
