// What version 3 of the AI SDK's model specification asks for, as far as this package reads or gives it. Written out, so that
// neither code nor declarations name a package that users may not have; the tests hold it to the specification's own types.

import type { FinishReason, GeneratedToken, Timings, TokenLogprob } from '../index.js';

/** Something that was asked for and is not done. */
export interface CallWarning {
  /** The only kind that is given. */
  type: 'unsupported';
  /** `tools`, `responseFormat`, ... */
  feature: string;
  /** What happens instead. */
  details: string;
}

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
  responseFormat?:
    | {
        /** `text` or `json`. */
        type: string;
      }
    | undefined;
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
  /** Of the prompt. */
  inputTokens: {
    /** All. */
    total: number | undefined;
    /** Those that this call computed. */
    noCache: number | undefined;
    /** Those that the session had computed before. */
    cacheRead: number | undefined;
    /** Not counted. */
    cacheWrite: undefined;
  };
  /** Of the answer, its end token included. */
  outputTokens: {
    /** All. */
    total: number | undefined;
    /** The same: there is nothing else. */
    text: number | undefined;
    /** None. */
    reasoning: undefined;
  };
}

/** What the AI SDK has no place for. */
export type AnswerMetadata = {
  /** By the provider's name. */
  neox: {
    /** With it the call can be repeated. */
    seed: number;
    /** In the words of this package. */
    finishReason: FinishReason;
    /** Of {@link Timings}. */
    timings: Record<keyof Timings, number>;
    /** With `logprobs`: see {@link GeneratedToken}. */
    tokens?: {
      /** The token. */
      id: number;
      /** Natural logarithm of its probability. */
      logprob?: number;
      /** The most likely tokens in its place. */
      topLogprobs?: Record<keyof TokenLogprob, number>[];
    }[];
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
  content: {
    /** The only kind. */
    type: 'text';
    /** All of it. */
    text: string;
  }[];
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

/** What an answer is streamed as, in this order; `error` may come at any place behind the first two. */
export type StreamPart =
  | {
      /** The first part. */
      type: 'stream-start';
      /** What was asked for and is not done. */
      warnings: CallWarning[];
    }
  | ({
      /** The second part. */
      type: 'response-metadata';
    } & AnswerOrigin)
  | {
      /** Before the first text; absent where nothing is said. */
      type: 'text-start';
      /** Of the answer. */
      id: string;
    }
  | {
      /** A piece of text. */
      type: 'text-delta';
      /** Of the answer. */
      id: string;
      /** What is new; never empty. */
      delta: string;
    }
  | {
      /** After the last text. */
      type: 'text-end';
      /** Of the answer. */
      id: string;
    }
  | {
      /** With `includeRawChunks`: before what is made of it. */
      type: 'raw';
      /** A `Chunk`. */
      rawValue: unknown;
    }
  | {
      /** The call has failed. */
      type: 'error';
      /** As the generation rejects with it. */
      error: unknown;
    }
  | {
      /** The last part. */
      type: 'finish';
      /** Why the answer ended. */
      finishReason: AnswerEnd;
      /** Tokens of prompt and answer. */
      usage: AnswerUsage;
      /** Absent after an error. */
      providerMetadata?: AnswerMetadata;
    };
