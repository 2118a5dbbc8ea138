// The outputs of a beam search: one call, whose sequences come together at its end, best first.

import { untilDone } from './calls.js';
import type { GenerationRun } from './generation.js';
import type { LoadedModel } from './loaded-model.js';
import { type NativeCall, type NativeDrained, type NativeRequest, NO_TIMINGS } from './native.js';
import { type Output, tokensOf } from './output.js';
import type { FinishReason, SequenceResult } from './types.js';

export interface BeamsPlan {
  model: LoadedModel;
  /** With `beams`. */
  request: NativeRequest;
  /** One for each sequence that shall be returned. */
  outputs: readonly Output[];
  promptTokens: number;
}

export class Beams implements GenerationRun {
  readonly promptTokens: number;
  readonly #call: NativeCall;
  readonly #outputs: readonly Output[];
  #found: NativeDrained | undefined;
  #delivered = 0;
  #isCancelled = false;
  #timings = NO_TIMINGS;

  /** Starts the work. @throws ArgumentError, ContextFullError, DisposedError; `ERR_NEOX_BUSY` */
  constructor({ model, request, outputs, promptTokens }: BeamsPlan) {
    this.#call = model.submit(request);
    this.#outputs = outputs;
    this.promptTokens = promptTokens;
  }

  get isOver(): boolean {
    return this.#delivered === this.#outputs.length;
  }

  get sequences(): SequenceResult[] {
    return this.#outputs.map((output) => output.result());
  }

  get timings(): NativeDrained['timings'] {
    return this.#timings;
  }

  get cachedTokens(): number {
    return this.#found?.reusedTokens ?? 0;
  }

  /** The next sequence, whole. */
  async next(): ReturnType<GenerationRun['next']> {
    this.#found ??= await untilDone(this.#call);
    if (this.#found.error) throw this.#found.error;
    this.#timings = this.#found.timings;
    while (!this.#isCancelled && !this.isOver) {
      const index = this.#delivered++;
      const output = this.#outputs[index] as Output;
      const beam = this.#found.beams?.[index];
      output.score = beam?.score;
      output.finishReason = (beam ?? this.#found).finishReason as FinishReason;
      // Without beams: the time was up before the first token.
      const { chunk } = output.take(beam ? tokensOf(beam) : [], true);
      if (chunk) return chunk;
    }
    return undefined;
  }

  cancel(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    if (!this.isOver) this.#call.cancel('cancelled', this.#outputs[0]?.length ?? 0);
  }

  async settle(): Promise<void> {
    this.#timings = (await untilDone(this.#call)).timings;
  }

  release(): void {
    this.#call.release();
  }
}
