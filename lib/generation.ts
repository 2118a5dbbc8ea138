// One call of generate() or chat(), as its consumer sees it: read once, chunk by chunk, and ended when the consumer leaves.

import { ArgumentError, fromNative } from './errors.js';
import { type NativeDrained, NO_TIMINGS } from './native.js';
import type { Chunk, FinishReason, Result, SequenceResult } from './types.js';

/** The work behind a generation: one call of the engine or several. It has started when it exists. */
export interface GenerationRun {
  readonly promptTokens: number;
  /** Of them, those that were cached before. */
  readonly cachedTokens?: number;
  /** Everything has ended by itself or by a stop string. */
  readonly isOver: boolean;
  /** What was delivered so far. */
  readonly sequences: SequenceResult[];
  readonly timings: NativeDrained['timings'];
  /** Waits for something to deliver. Undefined when it is over or cancelled; the last chunk may come together with the end. */
  next(): Promise<Chunk | undefined>;
  /** Asks the engine to end what is not over; sequences keep what was delivered. */
  cancel(): void;
  /** After `cancel`: waits until the engine has let go. */
  settle(): Promise<void>;
  /** Gives memory back. */
  release(): void;
}

/** What a generation does, once somebody reads it. */
export interface GenerationPlan {
  /** May throw. */
  start(): GenerationRun;
  /** After it ended by itself or by a stop string. */
  ended?(reason: FinishReason): void;
  /** How many sequences there will be. */
  sequences: number;
  seed: number;
  signal: AbortSignal | undefined;
}

// How a call ends before its time: silently, or with an error for the consumer.
type Leaving = { error: unknown } | 'cancelled';
type End = Leaving | 'over';

const abandoned = new FinalizationRegistry<{ signal: AbortSignal; listener: () => void }>(
  ({ signal, listener }) => signal.removeEventListener('abort', listener),
);

/**
 * The output of one call. Work starts at the first `next()` or `result()`; leaving a `for await` loop stops it.
 *
 * @example
 * for await (const chunk of model.generate('吾輩は')) process.stdout.write(chunk.text);
 * const { text, usage } = await model.generate('吾輩は').result();
 */
export class Generation implements AsyncIterable<Chunk> {
  readonly #plan: GenerationPlan;
  #run: GenerationRun | undefined;
  #leaving: Leaving | undefined;
  #end: End | undefined;
  #isIterated = false;
  // Steps run one after the other, whoever asks for them.
  #turn: Promise<unknown> = Promise.resolve();
  readonly #onAbort: () => void;

  /** @internal Use `Model.generate`, `Model.chat` or their like of Session. */
  constructor(plan: GenerationPlan) {
    this.#plan = plan;
    // A signal may outlive many generations: it must not keep those whose reader has gone, nor their listeners.
    const self = new WeakRef(this);
    const { signal } = plan;
    this.#onAbort = () => {
      const generation = self.deref();
      if (generation) generation.#requestLeave({ error: signal?.reason });
    };
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
    const run = this.#run;
    const sequences = run?.sequences ?? Array.from({ length: this.#plan.sequences }, nothing);
    const first = sequences[0] ?? nothing();
    const promptTokens = run?.promptTokens ?? 0;
    const cachedTokens = run?.cachedTokens ?? 0;
    const completionTokens = sequences.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
    const timings = run?.timings ?? NO_TIMINGS;
    const perSecond = (tokens: number, ms: number): number => (ms > 0 ? (1000 * tokens) / ms : 0);
    return {
      ...first,
      sequences,
      usage: { promptTokens, completionTokens, cachedTokens },
      timings: {
        ...timings,
        promptTokensPerSecond: perSecond(promptTokens - cachedTokens, timings.prefillMs),
        // The first token of each belongs to the prompt's pass.
        tokensPerSecond: perSecond(Math.max(0, completionTokens - sequences.length), timings.decodeMs),
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
    this.#run?.cancel();
  }

  // The next chunk; undefined at the end.
  async #step(): Promise<Chunk | undefined> {
    if (this.#end) {
      if (typeof this.#end === 'object') throw this.#end.error;
      return undefined;
    }
    try {
      if (this.#plan.signal?.aborted) this.#requestLeave({ error: this.#plan.signal.reason });
      if (!this.#run && !this.#leaving) this.#start();
      if (this.#run && !this.#leaving) {
        const chunk = await this.#run.next();
        if (this.#run.isOver) this.#finish('over');
        if (chunk || this.#run.isOver) return chunk;
      }
      await this.#run?.settle();
      if (this.#leaving !== 'cancelled') throw this.#leaving?.error;
      this.#finish('cancelled');
      return undefined;
    } catch (error) {
      if (this.#run && !this.#end) {
        // Whatever failed here, in a processor or in the tokenizer, the engine must not go on.
        this.#run.cancel();
        await this.#run.settle();
      }
      this.#finish({ error: fromNative(error) });
      throw fromNative(error);
    }
  }

  #start(): void {
    this.#run = this.#plan.start();
    const { signal } = this.#plan;
    if (!signal) return;
    signal.addEventListener('abort', this.#onAbort, { once: true });
    abandoned.register(this, { signal, listener: this.#onAbort }, this);
  }

  #finish(end: End): void {
    this.#end = end;
    this.#plan.signal?.removeEventListener('abort', this.#onAbort);
    abandoned.unregister(this);
    this.#run?.release();
    if (end === 'over') this.#plan.ended?.(this.#run?.sequences[0]?.finishReason ?? 'cancelled');
  }
}

function nothing(): SequenceResult {
  return { text: '', tokenIds: [], tokens: [], finishReason: 'cancelled' };
}
