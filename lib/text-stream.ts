// Ids to deliverable text and tokens: decoding, and stop strings of which nothing is ever delivered.

import type { DecodeStream } from './decode-stream.js';
import { prefixAtEnd } from './text-filter.js';
import type { TokenIds } from './types.js';

/** Finds the first stop string in a text that arrives in parts, and keeps back what may be the start of one. */
export class StopMatcher {
  readonly #stops: readonly string[];
  #held = '';

  /** @param stops - none of them empty */
  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** The text before the stop string, when one is complete; else the text that cannot belong to one. */
  push(text: string): { text: string; stopped: boolean } {
    const whole = this.#held + text;
    const end = this.#find(whole);
    this.#held = '';
    if (end !== undefined) return { text: whole.slice(0, end), stopped: true };
    const keep = Math.max(0, ...this.#stops.map((stop) => prefixAtEnd(whole, stop)));
    this.#held = whole.slice(whole.length - keep);
    return { text: whole.slice(0, whole.length - keep), stopped: false };
  }

  /** Whether a stop string would be complete if `text` came next. */
  wouldStop(text: string): boolean {
    return text !== '' && this.#find(this.#held + text) !== undefined;
  }

  /** The text kept back, when nothing follows. */
  flush(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }

  // Where the match begins that is complete first: so the result does not depend on how the text was cut. Of two that end
  // together the longer wins.
  #find(text: string): number | undefined {
    let best: { start: number; end: number } | undefined;
    for (const stop of this.#stops) {
      const start = text.indexOf(stop);
      if (start < 0) continue;
      const end = start + stop.length;
      if (!best || end < best.end || (end === best.end && start < best.start)) best = { start, end };
    }
    return best?.start;
  }
}

/** What can be delivered after some ids. */
export interface Delivery {
  text: string;
  /** How many of the ids that were pushed and not delivered yet go with it, in order. */
  tokens: number;
  /** A stop string was met: the ids that were not delivered belong to no one, and nothing more will come. */
  stopped: boolean;
}

/**
 * Decodes ids and ends at the first stop string. Every id is delivered once, at the latest by `flush`, but for those that begin
 * at or behind the start of the stop string. A token that begins before it is delivered with its text cut there.
 */
export class TextStream {
  readonly #decode: DecodeStream;
  readonly #stop: StopMatcher;
  readonly #waits: boolean;
  // Where in the text each undelivered token begins; how much text the decoder has given, and how much was delivered.
  #starts: number[] = [];
  #length = 0;
  #delivered = 0;

  constructor(decode: DecodeStream, stops: readonly string[] = []) {
    this.#decode = decode;
    this.#stop = new StopMatcher(stops);
    this.#waits = stops.length > 0;
  }

  /** Takes ids, in order. After `stopped`, the rest of them was ignored. */
  push(ids: TokenIds): Delivery {
    const delivery: Delivery = { text: '', tokens: 0, stopped: false };
    for (let i = 0; i < ids.length && !delivery.stopped; i++) {
      const before = this.#decode.pendingText;
      const text = this.#decode.push([ids[i] as number]);
      this.#starts.push(this.#length + before.length);
      if (text !== '' && !text.startsWith(before)) this.#settleStarts();
      this.#take(text, this.#decode.textIfFollowed, delivery);
    }
    return delivery;
  }

  /** The rest. The stream must not be used after it. */
  flush(): Delivery {
    const delivery: Delivery = { text: '', tokens: 0, stopped: false };
    this.#take(this.#decode.flush(), '', delivery);
    if (delivery.stopped) return delivery;
    delivery.text += this.#stop.flush();
    delivery.tokens += this.#starts.length;
    this.#starts = [];
    return delivery;
  }

  // What was pending has become other text, or none: the tokens that it was of begin where that begins.
  #settleStarts(): void {
    this.#starts = this.#starts.map((start) => Math.min(start, this.#length));
  }

  // `pending` is what the text ends with unless it is the very end: a stop string in it counts.
  #take(text: string, pending: string, delivery: Delivery): void {
    this.#length += text.length;
    let { text: safe, stopped } = this.#stop.push(text);
    if (!stopped && this.#stop.wouldStop(pending)) {
      safe += this.#stop.push(pending).text;
      stopped = true;
    }
    this.#delivered += safe.length;
    delivery.text += safe;
    delivery.stopped = stopped;
    // A token whose text is not out yet may turn out to begin a stop string.
    let count = this.#waits ? this.#starts.findIndex((start) => start >= this.#delivered) : -1;
    if (count < 0) count = this.#starts.length;
    delivery.tokens += count;
    this.#starts.splice(0, count);
  }
}
