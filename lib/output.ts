// One output sequence: its tokens and text, and what of them was delivered.

import type { NativeTokens } from './native.js';
import type { TextStream } from './text-stream.js';
import type { Chunk, FinishReason, GeneratedToken, SequenceResult } from './types.js';

export class Output {
  readonly #index: number;
  readonly #stream: TextStream | undefined;
  readonly #pending: GeneratedToken[] = [];
  readonly #tokens: GeneratedToken[] = [];
  #text = '';
  /** `cancelled` until it ends otherwise. */
  finishReason: FinishReason = 'cancelled';
  /** Of a beam. */
  score: number | undefined;

  /** @param stream - undefined without a tokenizer */
  constructor(index: number, stream: TextStream | undefined) {
    this.#index = index;
    this.#stream = stream;
  }

  /** How many tokens were delivered. */
  get length(): number {
    return this.#tokens.length;
  }

  /** All ids that came, delivered or not. */
  ids(): number[] {
    return [...this.#tokens, ...this.#pending].map(({ id }) => id);
  }

  /**
   * Takes what the engine has made, and gives what of it can be delivered.
   * @param isLast - nothing follows
   * @returns `isStopped`: a stop string was met; the tokens that were not delivered belong to no one
   */
  take(tokens: readonly GeneratedToken[], isLast: boolean): { chunk: Chunk | undefined; isStopped: boolean } {
    this.#pending.push(...tokens);
    const chunk: Chunk = { index: this.#index, text: '', tokens: [] };
    const ids = tokens.map(({ id }) => id);
    let delivery = this.#stream?.push(ids) ?? { text: '', tokens: ids.length, stopped: false };
    this.#deliver(delivery, chunk);
    if (isLast && !delivery.stopped) {
      delivery = this.#stream?.flush() ?? { text: '', tokens: this.#pending.length, stopped: false };
      this.#deliver(delivery, chunk);
    }
    const isEmpty = chunk.text === '' && chunk.tokens.length === 0;
    return { chunk: isEmpty ? undefined : chunk, isStopped: delivery.stopped };
  }

  /** What was delivered. */
  result(): SequenceResult {
    return {
      text: this.#text,
      tokenIds: this.#tokens.map(({ id }) => id),
      tokens: [...this.#tokens],
      finishReason: this.finishReason,
      ...(this.score === undefined ? {} : { score: this.score }),
    };
  }

  #deliver(delivery: { text: string; tokens: number }, chunk: Chunk): void {
    const tokens = this.#pending.splice(0, delivery.tokens);
    chunk.text += delivery.text;
    chunk.tokens.push(...tokens);
    this.#text += delivery.text;
    this.#tokens.push(...tokens);
  }
}

/** The tokens of what was drained. */
export function tokensOf(news: NativeTokens): GeneratedToken[] {
  return Array.from(news.ids, (id, index) => {
    const token: GeneratedToken = { id };
    const top = news.tops?.[index];
    if (news.logprobs) token.logprob = news.logprobs[index] ?? 0;
    if (top && top.length > 0) token.topLogprobs = top;
    return token;
  });
}
