// An embedding model of the AI SDK over a model of this package.

import type { EmbedOptions, Model } from '../index.js';

/** A call of an embedding model, as the AI SDK makes it. */
export interface EmbeddingCall {
  /** Texts of at least one token each. */
  values: readonly string[];
  /** Stops the call. */
  abortSignal?: AbortSignal | undefined;
}

/** Vectors of texts. */
export interface EmbeddingAnswer {
  /** `[hiddenSize]` for each text. */
  embeddings: number[][];
  /** What was computed. */
  usage: {
    /** Of all texts. */
    tokens: number;
  };
  /** None. */
  warnings: never[];
}

/** Goes wherever the AI SDK takes an embedding model: `embed({ model, value })`. */
export interface NeoxEmbeddingModel {
  /** Of the specification. */
  readonly specificationVersion: 'v3';
  /** `neox`. */
  readonly provider: string;
  /** As the model was named. */
  readonly modelId: string;
  /** Texts of one call, which run in common batches. */
  readonly maxEmbeddingsPerCall: number;
  /** True: calls of any number share the model's batches. */
  readonly supportsParallelCalls: boolean;
  /** A vector `[hiddenSize]` for each text. Rejects like `Model.embed`. */
  doEmbed(call: EmbeddingCall): Promise<EmbeddingAnswer>;
}

export function createEmbeddingModel(
  model: (signal?: AbortSignal) => Promise<Model>,
  modelId: string,
  options: Omit<EmbedOptions, 'signal'>,
): NeoxEmbeddingModel {
  return {
    specificationVersion: 'v3',
    provider: 'neox',
    modelId,
    maxEmbeddingsPerCall: 64,
    supportsParallelCalls: true,
    async doEmbed({ values, abortSignal }) {
      const loaded = await model(abortSignal);
      const prompts = values.map((text) => loaded.tokenizer.encode(text, { addSpecialTokens: false }));
      const own = { ...options, ...(abortSignal ? { signal: abortSignal } : {}) };
      const vectors = await Promise.all(prompts.map((ids) => loaded.embed(ids, own)));
      return {
        embeddings: vectors.map((vector) => Array.from(vector)),
        usage: { tokens: prompts.reduce((sum, ids) => sum + ids.length, 0) },
        warnings: [],
      };
    },
  };
}
