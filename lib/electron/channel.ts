// The page's end of a port: gives requests their ids and each reply to who waits for it.

import { listen, type PortLike, whenClosed } from './port.js';
import type { Reply, Request, RequestBody } from './protocol.js';
import { cannotCross, connectionClosed, RemoteError } from './remote-error.js';

/** Takes what comes for one request; `fail` at most once, and nothing after a result. */
export interface Listener {
  take(reply: Exclude<Reply, { type: 'error' }>): void;
  fail(error: RemoteError): void;
}

export interface AskOptions {
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export class Channel {
  /** Resolves when the port has closed, at either end. */
  readonly closed: Promise<void>;
  readonly #port: PortLike;
  readonly #listeners = new Map<number, Listener>();
  #lastId = 0;
  #isOpen = true;
  #onClosed: () => void = () => undefined;

  constructor(port: PortLike) {
    this.#port = port;
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve;
    });
    whenClosed(port, () => this.close());
    listen(port, (data) => this.#take(data as Reply));
  }

  /** Fails at once, by way of the listener, when the port is closed or something cannot cross it. */
  open(body: RequestBody, listener: Listener): number {
    const id = ++this.#lastId;
    if (!this.#isOpen) {
      listener.fail(connectionClosed());
      return id;
    }
    try {
      this.post({ id, ...body });
      this.#listeners.set(id, listener);
    } catch (error) {
      listener.fail(cannotCross(error));
    }
    return id;
  }

  post(request: Request): void {
    if (this.#isOpen) this.#port.postMessage(request);
  }

  /**
   * A request with one answer, and the id that its outcome has at the host. After an abort it rejects with `signal.reason`, and with what
   * `onProgress` throws; what the host made nevertheless is then disposed.
   */
  ask<T>(body: RequestBody, { onProgress, signal }: AskOptions = {}): Promise<{ id: number; value: T }> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const cancel = (): void => this.post({ id, type: 'cancel' });
      let isFailed = false;
      const tell = (done: number, total: number): void => {
        if (isFailed) return;
        try {
          onProgress?.({ done, total });
        } catch (error) {
          isFailed = true;
          cancel();
          reject(error);
        }
      };
      const listener: Listener = {
        take: (reply) => {
          if (reply.type === 'progress') return tell(reply.done, reply.total);
          signal?.removeEventListener('abort', cancel);
          if (reply.type !== 'result') return;
          if (isFailed) this.ask({ type: 'dispose', target: id }).catch(() => undefined);
          else resolve({ id, value: reply.value as T });
        },
        fail: (error) => {
          signal?.removeEventListener('abort', cancel);
          reject(signal?.aborted ? signal.reason : error);
        },
      };
      signal?.addEventListener('abort', cancel, { once: true });
      const id = this.open(body, listener);
    });
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#port.close();
    const waiting = [...this.#listeners.values()];
    this.#listeners.clear();
    for (const listener of waiting) listener.fail(connectionClosed());
    this.#onClosed();
  }

  #take(reply: Reply): void {
    const listener = this.#listeners.get(reply.id);
    if (reply.type === 'result' || reply.type === 'error') this.#listeners.delete(reply.id);
    if (reply.type === 'error') listener?.fail(new RemoteError(reply.error));
    else listener?.take(reply);
  }
}
