// One or several independent outputs of one prompt, each a call of its own. Several share the prompt: it is fed once, and the
// sequences of the others are forks, so that they share its KV blocks too.

import { untilDone } from './calls.js';
import { ArgumentError } from './errors.js';
import type { GenerationRun } from './generation.js';
import type { LoadedModel } from './loaded-model.js';
import {
  type NativeCall,
  type NativeDrained,
  type NativeRequest,
  type NativeSession,
  NO_TIMINGS,
  nextWake,
} from './native.js';
import { type Output, tokensOf } from './output.js';
import type { FinishReason, GenerateOptions, SequenceResult } from './types.js';

export interface ChoicesPlan {
  model: LoadedModel;
  /** Of one output. Several must not be made in a session. */
  request: NativeRequest;
  /** One for each choice. */
  outputs: readonly Output[];
  promptTokens: number;
  /** What the `logitsProcessor` sees before the new ids. */
  processorIds: readonly number[];
  logitsProcessor: GenerateOptions['logitsProcessor'];
}

interface Choice {
  readonly output: Output;
  call: NativeCall | undefined;
  timings: NativeDrained['timings'];
  isOver: boolean;
}

// The call that feeds the prompt of several choices, and what it feeds.
interface Feed {
  call: NativeCall;
  session: NativeSession;
  startedAt: number;
}

export class Choices implements GenerationRun {
  readonly #plan: ChoicesPlan;
  readonly #choices: Choice[];
  #feed: Feed | undefined;
  #promptTimings = { queueMs: 0, prefillMs: 0 };
  #turn = 0;
  #isCancelled = false;
  #cachedTokens = 0;

  /** Starts the work. @throws ArgumentError, ContextFullError, DisposedError; `ERR_NEOX_BUSY` */
  constructor(plan: ChoicesPlan) {
    this.#plan = plan;
    this.#choices = plan.outputs.map((output) => ({
      output,
      call: undefined,
      timings: NO_TIMINGS,
      isOver: false,
    }));
    const [first, ...others] = this.#choices;
    if (first && others.length === 0) first.call = plan.model.submit(plan.request);
    else this.#feed = this.#startFeed();
  }

  get promptTokens(): number {
    return this.#plan.promptTokens;
  }

  get cachedTokens(): number {
    return this.#cachedTokens;
  }

  get isOver(): boolean {
    return this.#choices.every(({ isOver }) => isOver);
  }

  get sequences(): SequenceResult[] {
    return this.#choices.map(({ output }) => output.result());
  }

  /** From the start of the prompt to the first token, and from there to the last, whosever they are. */
  get timings(): NativeDrained['timings'] {
    const all = this.#choices.map(({ timings }) => timings);
    const [first] = all;
    if (first && all.length === 1) return first;
    const { queueMs, prefillMs } = this.#promptTimings;
    const starts = all.map((timings) => timings.queueMs + timings.prefillMs);
    const start = Math.min(...starts);
    const end = Math.max(...all.map((timings, index) => (starts[index] ?? 0) + timings.decodeMs));
    return {
      queueMs,
      prefillMs: prefillMs + start,
      decodeMs: end - start,
      draftedTokens: all.reduce((sum, { draftedTokens }) => sum + draftedTokens, 0),
      acceptedTokens: all.reduce((sum, { acceptedTokens }) => sum + acceptedTokens, 0),
    };
  }

  async next(): ReturnType<GenerationRun['next']> {
    if (this.#feed) await this.#share(this.#feed);
    while (!this.#isCancelled && !this.isOver) {
      const [choice, news] = this.#poll() ?? [];
      if (choice && news) {
        const chunk = await this.#take(choice, news);
        if (chunk) return chunk;
      } else {
        await nextWake();
      }
    }
    return undefined;
  }

  cancel(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#feed?.call.cancel('cancelled', 0);
    for (const { call, output, isOver } of this.#choices) {
      if (!isOver) call?.cancel('cancelled', output.length);
    }
  }

  async settle(): Promise<void> {
    if (this.#feed) await untilDone(this.#feed.call);
    for (const choice of this.#choices) {
      if (choice.call && !choice.isOver) choice.timings = (await untilDone(choice.call)).timings;
    }
  }

  release(): void {
    this.#feed?.call.release();
    this.#feed?.session.dispose();
    for (const { call } of this.#choices) call?.release();
  }

  #startFeed(): Feed {
    const { model, request } = this.#plan;
    model.assertFits(this.#plan.promptTokens, request.maxNewTokens ?? 0);
    const session = model.native.createSession();
    const { prompt, maxTimeMs } = request;
    const call = model.submit({ session, prompt, ...(maxTimeMs === undefined ? {} : { maxTimeMs }) });
    return { call, session, startedAt: performance.now() };
  }

  // Once the prompt is fed. Each choice computes its last row again, and so begins as it would alone.
  async #share(feed: Feed): Promise<void> {
    const { error, finishReason, timings } = await untilDone(feed.call);
    if (this.#isCancelled) return;
    if (error) throw error;
    this.#promptTimings = timings;
    feed.call.release();
    this.#feed = undefined;
    const { model, request } = this.#plan;
    const limit = request.maxTimeMs ?? 0;
    const left = limit - (performance.now() - feed.startedAt);
    if (finishReason === 'time' || (limit > 0 && left <= 0)) {
      feed.session.dispose();
      for (const choice of this.#choices) this.#end(choice, 'time');
      return;
    }
    const position = feed.session.length();
    const sessions = this.#choices.map((_, choice) =>
      choice === 0 ? feed.session : feed.session.fork(position),
    );
    try {
      for (const [choice, session] of sessions.entries()) {
        const own = { ...request, session, prompt: [], choice, ...(limit > 0 ? { maxTimeMs: left } : {}) };
        (this.#choices[choice] as Choice).call = model.submit(own);
      }
    } finally {
      // Each call holds its own; none is left to one that could not start.
      for (const session of sessions) session.dispose();
    }
  }

  // The choices take turns.
  #poll(): [Choice, NativeDrained] | undefined {
    const count = this.#choices.length;
    for (let i = 0; i < count; i++) {
      const index = (this.#turn + i) % count;
      const choice = this.#choices[index] as Choice;
      if (choice.isOver || !choice.call) continue;
      const news = choice.call.drain();
      if (!news) continue;
      this.#turn = (index + 1) % count;
      return [choice, news];
    }
    return undefined;
  }

  async #take(choice: Choice, news: NativeDrained): ReturnType<GenerationRun['next']> {
    if (news.error) throw news.error;
    const call = choice.call as NativeCall;
    choice.timings = news.timings;
    this.#cachedTokens = news.reusedTokens;
    const isDone = news.state === 'done';
    const { chunk, isStopped } = choice.output.take(tokensOf(news), isDone);
    if (isStopped) {
      // The sequence ends at the last token delivered, also when the engine has run ahead of us, to its end even.
      this.#end(choice, 'stop');
      call.cancel('stop', choice.output.length);
      choice.timings = (await untilDone(call)).timings;
    } else if (isDone) {
      this.#end(choice, news.finishReason as FinishReason);
    } else if (news.state === 'awaitingScores' && chunk === undefined) {
      // A chunk goes first: should the processor throw, what came before is delivered. The call still waits at the next turn.
      this.#process(call, choice.output);
    }
    return chunk;
  }

  #end(choice: Choice, reason: FinishReason): void {
    choice.output.finishReason = reason;
    choice.isOver = true;
  }

  #process(call: NativeCall, output: Output): void {
    const scores = call.scores();
    const ids = [...this.#plan.processorIds, ...output.ids()];
    const returned: unknown = this.#plan.logitsProcessor?.(ids, scores);
    if (typeof (returned as Partial<PromiseLike<unknown>> | null | undefined)?.then === 'function') {
      // Nobody else will look at this promise: its rejection must not end the process.
      Promise.resolve(returned).catch(() => undefined);
      throw new ArgumentError('The `logitsProcessor` must be synchronous, but it returned a promise.');
    }
    call.submitScores(scores);
  }
}
