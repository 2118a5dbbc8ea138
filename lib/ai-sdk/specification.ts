// What version 3 of the AI SDK's model specification asks for, as far as this package reads or gives it. Written out, so that
// neither code nor declarations name a package that users may not have; the tests hold it to the specification's own types.

import type { FinishReason, GeneratedToken, Timings } from '../index.js';

/** Something that was asked for and is not done. */
export type CallWarning =
  | { type: 'unsupported'; feature: string; details?: string }
  | { type: 'other'; message: string };

/** A part of a message's content; only those of type `text` can be read. */
export interface PromptPart {
  /** `text`, `file`, `reasoning`, `tool-call`, ... */
  type: string;
  /** Of parts of type `text`. */
  text?: string;
}

/** A message of a call's prompt. */
export interface PromptMessage {
  /** `system`, `user` or `assistant`; `tool` cannot be read. */
  role: string;
  /** Text for a system message, parts for the others. */
  content: string | readonly PromptPart[];
}

/** A call of a language model, as the AI SDK makes it. */
export interface LanguageModelCall {
  /** The conversation. */
  prompt: readonly PromptMessage[];
  /** `maxNewTokens`. */
  maxOutputTokens?: number | undefined;
  /** `temperature`. */
  temperature?: number | undefined;
  /** `stop`. */
  stopSequences?: readonly string[] | undefined;
  /** `topP`. */
  topP?: number | undefined;
  /** `topK`. */
  topK?: number | undefined;
  /** `presencePenalty`. */
  presencePenalty?: number | undefined;
  /** `frequencyPenalty`. */
  frequencyPenalty?: number | undefined;
  /** `seed`. */
  seed?: number | undefined;
  /** Text is the only one; another is a warning. */
  responseFormat?: { type: string } | undefined;
  /** There are none; they are a warning. */
  tools?: readonly unknown[] | undefined;
  /** Streams this package's own chunks, too, as parts of type `raw`. */
  includeRawChunks?: boolean | undefined;
  /** Stops the call. */
  abortSignal?: AbortSignal | undefined;
  /** Under `neox`: options of `Model.generate`. */
  providerOptions?: Readonly<Record<string, unknown>> | undefined;
}

/** Why an answer ended: in the AI SDK's words, and in those of this package. */
export interface AnswerEnd {
  /** `time` and `cancelled` are `other`. */
  unified: 'stop' | 'length' | 'error' | 'other';
  /** Undefined after an error. */
  raw: FinishReason | undefined;
}

/** Tokens of a call; undefined after an error. */
export interface AnswerUsage {
  /** Of the prompt. `cacheRead`: what the session had computed before. */
  inputTokens: {
    total: number | undefined;
    noCache: number | undefined;
    cacheRead: number | undefined;
    cacheWrite: undefined;
  };
  /** Of the answer, its end token included. */
  outputTokens: { total: number | undefined; text: number | undefined; reasoning: undefined };
}

/** What the AI SDK has no place for. */
export type AnswerMetadata = {
  neox: {
    seed: number;
    finishReason: FinishReason;
    /** Of {@link Timings}. */
    timings: Record<keyof Timings, number>;
    /** With `logprobs`. */
    tokens?: (Omit<GeneratedToken, 'topLogprobs'> & { topLogprobs?: { id: number; logprob: number }[] })[];
  };
};

/** When an answer was made, and by what. */
export interface AnswerOrigin {
  /** Of this answer alone. */
  id: string;
  /** When it was asked for. */
  timestamp: Date;
  /** As the model was named. */
  modelId: string;
}

/** A whole answer. */
export interface LanguageModelAnswer {
  /** One text; none where nothing was said. */
  content: { type: 'text'; text: string }[];
  /** Why it ended. */
  finishReason: AnswerEnd;
  /** Tokens of prompt and answer. */
  usage: AnswerUsage;
  /** What this package tells beside. */
  providerMetadata: AnswerMetadata;
  /** When it was made, and by what. */
  response: AnswerOrigin;
  /** What was asked for and is not done. */
  warnings: CallWarning[];
}

/** What an answer is streamed as, in this order; `error` may come at any place after the first. */
export type StreamPart =
  | { type: 'stream-start'; warnings: CallWarning[] }
  | ({ type: 'response-metadata' } & AnswerOrigin)
  | { type: 'text-start'; id: string }
  | { type: 'text-delta'; id: string; delta: string }
  | { type: 'text-end'; id: string }
  | { type: 'raw'; rawValue: unknown }
  | { type: 'error'; error: unknown }
  | { type: 'finish'; finishReason: AnswerEnd; usage: AnswerUsage; providerMetadata?: AnswerMetadata };
