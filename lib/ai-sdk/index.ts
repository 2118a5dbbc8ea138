// gpt-neox/ai-sdk: the models of this package as models of the AI SDK, for `ai` 6 and later.

export type { EmbeddingAnswer, EmbeddingCall, NeoxEmbeddingModel } from './embedding-model.js';
export type { NeoxLanguageModel } from './language-model.js';
export type { LanguageModelSettings } from './options.js';
export { createNeox, type NeoxProvider } from './provider.js';
export type * from './specification.js';
