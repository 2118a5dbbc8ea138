// A request that is being worked on: it can be cancelled, and what it streams waits for the reader.

import { type Chunk, type Generation, NeoxError, type Result } from '../index.js';
import { MAX_CREDIT } from './protocol.js';

export class Work {
  /** What the call runs on. */
  readonly target: number | undefined;
  readonly ended: Promise<void>;
  /** The request was answered. */
  readonly end: () => void;
  readonly #controller = new AbortController();
  #credit: number;
  #onGrant: (() => void) | undefined;

  /** @param call - of a generation: its target, and the chunks that may be sent before more are granted */
  constructor(call?: { target: number; credit: number }) {
    this.target = call?.target;
    this.#credit = call?.credit ?? 0;
    let end = (): void => undefined;
    this.ended = new Promise((resolve) => {
      end = resolve;
    });
    this.end = end;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  grant(chunks: number): void {
    this.#credit = Math.min(MAX_CREDIT, this.#credit + chunks);
    this.#onGrant?.();
  }

  cancel(): void {
    this.#controller.abort(new NeoxError('ERR_NEOX_CANCELLED', 'The request was cancelled.'));
    this.#onGrant?.();
  }

  /**
   * Sends the chunks of a generation, none before the reader has granted it; meanwhile the engine's bounded ring fills and its
   * sequence pauses. A cancelled generation gives the result of what was sent.
   */
  async stream(generation: Generation, send: (chunk: Chunk) => void): Promise<Result> {
    const chunks = generation[Symbol.asyncIterator]();
    const leave = (): void => void chunks.return?.();
    this.signal.addEventListener('abort', leave, { once: true });
    try {
      for (;;) {
        while (this.#credit === 0 && !this.signal.aborted) await this.#granted();
        if (this.signal.aborted) await chunks.return?.();
        const { done, value } = await chunks.next();
        if (done) return await generation.result();
        this.#credit--;
        send(value);
      }
    } finally {
      this.signal.removeEventListener('abort', leave);
    }
  }

  #granted(): Promise<void> {
    return new Promise((resolve) => {
      this.#onGrant = resolve;
    });
  }
}
