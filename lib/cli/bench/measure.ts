// The runs of `neox bench`, through the public API.

import type { Model, Session } from '../../index.js';
import type { BenchTest } from './tests.js';

/** One repetition of a test. Times of several sequences are their mean, since they begin and end one after the other. */
export interface Run {
  /** Until the first new token, as the engine counts; 0 where a test has no prompt. */
  prefillNs: number;
  /** From the first new token to the last. */
  decodeNs: number;
  /** From the call to the first token, as the caller sees it. */
  firstTokenMs: number;
  /** Between two tokens that follow one another, as the caller sees them; those that arrive together share the time. */
  gapsMs: number[];
  /** Unicode characters after those of the first token, in the time of `decodeNs`; of tokens that come with it, their share. */
  characters: number;
}

/** What llama-bench times. */
export function totalNs({ prefillNs, decodeNs }: Run): number {
  return prefillNs + decodeNs;
}

/** A model with sessions that stand at a depth: what is before a test is computed once and not timed. */
export class Stage {
  readonly #model: Model;
  readonly #random: (count: number) => number[];
  #sessions: Session[] = [];
  #depth = 0;

  constructor(model: Model) {
    this.#model = model;
    this.#random = randomIds(model.config.vocabSize);
  }

  /** Prompts are new random ids each time, so that nothing is found in a cache. Rejects with `signal.reason` after an abort. */
  async once(test: BenchTest, signal: AbortSignal): Promise<Run> {
    const { nPrompt, nGen, depth, sequences, ids } = test;
    const sessions = await this.#at(depth, sequences, signal);
    const runs = await Promise.all(
      sessions.map((session) =>
        generate(session, ids ?? this.#random(Math.max(1, nPrompt)), nGen + 1, AbortSignal.any([signal])),
      ),
    );
    for (const session of sessions) session.truncate(depth);
    const mean = (value: (run: Run) => number): number =>
      Math.round(runs.reduce((sum, run) => sum + value(run), 0) / runs.length);
    return {
      prefillNs: nPrompt > 0 ? mean((run) => run.prefillNs) : 0,
      decodeNs: nGen > 0 ? mean((run) => run.decodeNs) : 0,
      firstTokenMs: runs.reduce((sum, run) => sum + run.firstTokenMs, 0) / runs.length,
      gapsMs: runs.flatMap((run) => run.gapsMs),
      characters: runs.reduce((sum, run) => sum + run.characters, 0),
    };
  }

  dispose(): void {
    for (const session of this.#sessions) session.dispose();
    this.#sessions = [];
  }

  async #at(depth: number, count: number, signal: AbortSignal): Promise<Session[]> {
    if (depth !== this.#depth) this.dispose();
    this.#depth = depth;
    while (this.#sessions.length < count) {
      const session = this.#model.createSession();
      this.#sessions.push(session);
      if (depth === 0) continue;
      await generate(session, this.#random(depth), 1, signal);
      session.truncate(depth);
    }
    return this.#sessions.slice(0, count);
  }
}

async function generate(
  session: Session,
  prompt: readonly number[],
  maxNewTokens: number,
  signal: AbortSignal,
): Promise<Run> {
  const begin = performance.now();
  const run = { firstTokenMs: Number.NaN, gapsMs: [] as number[], characters: 0 };
  let last = begin;
  // Nothing is drafted: random weights repeat themselves, and a step is to be measured.
  const fixed = { eosTokenId: null, temperature: 0, promptLookupNumTokens: 0 };
  const generation = session.generate(prompt, { ...fixed, maxNewTokens, signal });
  for await (const { text, tokens } of generation) {
    const now = performance.now();
    const isFirst = last === begin;
    run.characters += [...text].length * (isFirst ? 1 - 1 / Math.max(1, tokens.length) : 1);
    if (tokens.length === 0) continue;
    if (isFirst) run.firstTokenMs = now - begin;
    else for (const _ of tokens) run.gapsMs.push((now - last) / tokens.length);
    last = now;
  }
  const { prefillMs, decodeMs } = (await generation.result()).timings;
  return { ...run, prefillNs: 1e6 * prefillMs, decodeNs: 1e6 * decodeMs };
}

// xorshift32: the same prompts in every run.
function randomIds(vocabSize: number): (count: number) => number[] {
  let state = 0x9e3779b9;
  return (count) =>
    Array.from({ length: count }, () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 0) % vocabSize;
    });
}
