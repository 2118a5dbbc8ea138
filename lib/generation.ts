// One call of generate() or chat(): pulls what the engine has made, turns it into text, and ends it when the consumer leaves.

import { nextNews, untilDone } from './calls.js';
import { ArgumentError, fromNative } from './errors.js';
import type { NativeCall, NativeDrained } from './native.js';
import type { TextStream } from './text-stream.js';
import type {
  Chunk,
  FinishReason,
  GeneratedToken,
  GenerateOptions,
  Result,
  SequenceResult,
} from './types.js';

/** A call that runs. */
export interface StartedCall {
  call: NativeCall;
  /** Undefined without a tokenizer. */
  text: TextStream | undefined;
  promptTokens: number;
  promptIds: readonly number[];
}

/** What a generation does, once somebody reads it. */
export interface GenerationPlan {
  /** Submits the call; may throw. */
  start(): StartedCall;
  /** After the call ended by itself or by a stop string. */
  ended?(reason: FinishReason): void;
  seed: number;
  signal: AbortSignal | undefined;
  logitsProcessor: GenerateOptions['logitsProcessor'];
}

// How a call ends before its time: silently, or with an error for the consumer.
type Leaving = { error: unknown } | 'cancelled';

/**
 * The output of one call. Work starts at the first `next()` or `result()`; leaving a `for await` loop stops it.
 *
 * @example
 * for await (const chunk of model.generate('吾輩は')) process.stdout.write(chunk.text);
 * const { text, usage } = await model.generate('吾輩は').result();
 */
export class Generation implements AsyncIterable<Chunk> {
  readonly #plan: GenerationPlan;
  #started: StartedCall | undefined;
  #leaving: Leaving | undefined;
  #end: { error: unknown } | { reason: FinishReason } | undefined;
  #isIterated = false;
  // Steps run one after the other, whoever asks for them.
  #turn: Promise<unknown> = Promise.resolve();
  readonly #pending: GeneratedToken[] = [];
  readonly #tokens: GeneratedToken[] = [];
  #text = '';
  #timings = { queueMs: 0, prefillMs: 0, decodeMs: 0 };

  /** @internal Use `Model.generate`, `Model.chat` or their like of Session. */
  constructor(plan: GenerationPlan) {
    this.#plan = plan;
  }

  /**
   * The chunks as they come. `break`, `return` and `throw` stop the work; a session then ends at the last token delivered.
   * @throws ArgumentError when the generation is iterated a second time
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Chunk> {
    if (this.#isIterated) {
      throw new ArgumentError('A generation can be read only once; result() gives the whole of it.');
    }
    this.#isIterated = true;
    let isOver = false;
    const done = { done: true, value: undefined } as const;
    const leave = async (): Promise<void> => {
      isOver = true;
      await this.#leave('cancelled');
    };
    return {
      next: async () => {
        if (isOver) return done;
        try {
          const value = await this.#advance();
          if (value) return { done: false, value };
        } catch (error) {
          isOver = true;
          throw error;
        }
        isOver = true;
        return done;
      },
      return: async () => {
        await leave();
        return done;
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
  async result(): Promise<Result> {
    while (await this.#advance());
    const sequence: SequenceResult = {
      text: this.#text,
      tokenIds: this.#tokens.map((token) => token.id),
      tokens: [...this.#tokens],
      finishReason: this.#end && 'reason' in this.#end ? this.#end.reason : 'cancelled',
    };
    const promptTokens = this.#started?.promptTokens ?? 0;
    const { prefillMs, decodeMs } = this.#timings;
    const perSecond = (tokens: number, ms: number): number => (ms > 0 ? (1000 * tokens) / ms : 0);
    return {
      ...sequence,
      sequences: [sequence],
      usage: { promptTokens, completionTokens: this.#tokens.length },
      timings: {
        ...this.#timings,
        promptTokensPerSecond: perSecond(promptTokens, prefillMs),
        // The first token belongs to the prompt's pass.
        tokensPerSecond: perSecond(Math.max(0, this.#tokens.length - 1), decodeMs),
      },
      seed: this.#plan.seed,
    };
  }

  /** The chunks as a web stream; cancelling it stops the work. */
  toReadableStream(): ReadableStream<Chunk> {
    const iterator = this[Symbol.asyncIterator]();
    return new ReadableStream<Chunk>(
      {
        async pull(controller) {
          const { done, value } = await iterator.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        async cancel() {
          await iterator.return?.();
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** @internal Ends the call with an error for whoever reads it. Resolves when the engine has let go of it. */
  async abandon(error: unknown): Promise<void> {
    await this.#leave({ error });
  }

  #advance(): Promise<Chunk | undefined> {
    const step = this.#turn.then(() => this.#step());
    this.#turn = step.catch(() => undefined);
    return step;
  }

  async #leave(how: Leaving): Promise<void> {
    if (!this.#end) this.#requestLeave(how);
    // The engine's acknowledgement is taken by a step; an error is for those who read.
    await this.#advance().catch(() => undefined);
  }

  #requestLeave(how: Leaving): void {
    if (this.#leaving || this.#end) return;
    this.#leaving = how;
    this.#started?.call.cancel('cancelled', this.#tokens.length);
  }

  readonly #onAbort = (): void => this.#requestLeave({ error: this.#plan.signal?.reason });

  // The next chunk; undefined at the end.
  async #step(): Promise<Chunk | undefined> {
    if (this.#end) {
      if ('error' in this.#end) throw this.#end.error;
      return undefined;
    }
    try {
      if (this.#plan.signal?.aborted) this.#requestLeave({ error: this.#plan.signal.reason });
      if (!this.#started && !this.#leaving) this.#start();
      while (!this.#leaving && this.#started) {
        const news = await nextNews(this.#started.call);
        if (this.#leaving) break;
        const chunk = await this.#take(news, this.#started);
        if (chunk || this.#end) return chunk;
      }
      if (this.#started) this.#timings = (await untilDone(this.#started.call)).timings;
      if (this.#leaving !== 'cancelled') throw this.#leaving?.error;
      this.#finish({ reason: 'cancelled' });
      return undefined;
    } catch (error) {
      if (this.#started && !this.#end) {
        // Whatever failed here, in a processor or in the tokenizer, the engine must not go on.
        this.#started.call.cancel('cancelled', this.#tokens.length);
        await untilDone(this.#started.call);
      }
      this.#finish({ error: fromNative(error) });
      throw fromNative(error);
    }
  }

  #start(): void {
    this.#started = this.#plan.start();
    this.#plan.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  #finish(end: { error: unknown } | { reason: FinishReason }): void {
    this.#end = end;
    this.#plan.signal?.removeEventListener('abort', this.#onAbort);
    this.#started?.call.release();
    if ('reason' in end && end.reason !== 'cancelled') this.#plan.ended?.(end.reason);
  }

  async #take(news: NativeDrained, started: StartedCall): Promise<Chunk | undefined> {
    if (news.error) throw news.error;
    this.#timings = news.timings;
    for (let i = 0; i < news.ids.length; i++) this.#pending.push(toToken(news, i));
    const { text } = started;
    const chunk: Chunk = { index: 0, text: '', tokens: [] };
    const push = text?.push(news.ids) ?? { text: '', tokens: news.ids.length, stopped: false };
    this.#deliver(push, chunk);
    let reason = news.state === 'done' ? (news.finishReason as FinishReason) : undefined;
    let isStopped = push.stopped;
    if (reason !== undefined && !isStopped) {
      const rest = text?.flush() ?? { text: '', tokens: this.#pending.length, stopped: false };
      this.#deliver(rest, chunk);
      isStopped = rest.stopped;
    }
    if (isStopped) {
      // The sequence ends at the last token delivered, also when the engine has run ahead of us, to its end even.
      reason = 'stop';
      started.call.cancel('stop', this.#tokens.length);
      this.#timings = (await untilDone(started.call)).timings;
    } else if (news.state === 'awaitingScores') {
      this.#process(started);
    }
    if (reason !== undefined) this.#finish({ reason });
    return chunk.text !== '' || chunk.tokens.length > 0 ? chunk : undefined;
  }

  #deliver(delivery: { text: string; tokens: number }, chunk: Chunk): void {
    const tokens = this.#pending.splice(0, delivery.tokens);
    chunk.text += delivery.text;
    chunk.tokens.push(...tokens);
    this.#text += delivery.text;
    this.#tokens.push(...tokens);
  }

  #process({ call, promptIds }: StartedCall): void {
    const scores = call.scores();
    const ids = [...promptIds, ...this.#tokens, ...this.#pending].map((each) =>
      typeof each === 'number' ? each : each.id,
    );
    const returned: unknown = this.#plan.logitsProcessor?.(ids, scores);
    if (typeof (returned as Partial<PromiseLike<unknown>> | null | undefined)?.then === 'function') {
      // Nobody else will look at this promise: its rejection must not end the process.
      Promise.resolve(returned).catch(() => undefined);
      throw new ArgumentError('The `logitsProcessor` must be synchronous, but it returned a promise.');
    }
    call.submitScores(scores);
  }
}

function toToken(news: NativeDrained, index: number): GeneratedToken {
  const token: GeneratedToken = { id: news.ids[index] ?? 0 };
  const top = news.tops?.[index];
  if (news.logprobs) token.logprob = news.logprobs[index] ?? 0;
  if (top && top.length > 0) token.topLogprobs = top;
  return token;
}
