// A language model of the AI SDK over a model of this package. A plain object: the AI SDK wraps models in proxies.

import { randomUUID } from 'node:crypto';
import type { Chunk, FinishReason, Generation, Model, Result } from '../index.js';
import { toMessages, toText } from './messages.js';
import { type LanguageModelSettings, toGenerateOptions } from './options.js';
import type {
  AnswerEnd,
  AnswerMetadata,
  AnswerOrigin,
  AnswerUsage,
  CallWarning,
  LanguageModelAnswer,
  LanguageModelCall,
  StreamPart,
} from './specification.js';

/** Goes wherever the AI SDK takes a language model: `generateText({ model, prompt })`. */
export interface NeoxLanguageModel {
  /** Of the specification. */
  readonly specificationVersion: 'v3';
  /** `neox`. */
  readonly provider: string;
  /** As the model was named. */
  readonly modelId: string;
  /** None. */
  readonly supportedUrls: Record<string, RegExp[]>;
  /** The whole answer. Rejects like `Generation.result`. */
  doGenerate(call: LanguageModelCall): Promise<LanguageModelAnswer>;
  /** The answer as it comes; cancelling the stream stops the work. What fails after the start is a part of type `error`. */
  doStream(call: LanguageModelCall): Promise<{
    /** Waits for its reader. */
    stream: ReadableStream<StreamPart>;
  }>;
}

interface Started {
  generation: Generation;
  warnings: CallWarning[];
  origin: AnswerOrigin;
}

export function createLanguageModel(
  model: (signal?: AbortSignal) => Promise<Model>,
  modelId: string,
  { session, ...settings }: LanguageModelSettings,
): NeoxLanguageModel {
  const start = async (call: LanguageModelCall): Promise<Started> => {
    const { messages, warnings } = toMessages(call.prompt);
    const { options, warnings: others } = toGenerateOptions(call, settings);
    const origin = { id: randomUUID(), timestamp: new Date(), modelId };
    const loaded = await model(call.abortSignal);
    call.abortSignal?.throwIfAborted();
    const isChat = loaded.chatFormat !== undefined;
    const own = isChat ? options : { text: 'continuation' as const, ...options };
    const text = isChat ? '' : toText(messages, modelId);
    const replace = { ...own, replace: true };
    const generation = isChat
      ? (session?.chat(messages, replace) ?? loaded.chat(messages, own))
      : (session?.generate(text, replace) ?? loaded.generate(text, own));
    return { generation, warnings: [...warnings, ...others], origin };
  };
  return {
    specificationVersion: 'v3',
    provider: 'neox',
    modelId,
    supportedUrls: {},
    async doGenerate(call) {
      const { generation, warnings, origin } = await start(call);
      const result = await generation.result();
      const content = result.text === '' ? [] : [{ type: 'text' as const, text: result.text }];
      return { content, ...endOf(result), response: origin, warnings };
    },
    async doStream(call) {
      return { stream: streamOf(await start(call), call) };
    },
  };
}

function streamOf(
  { generation, warnings, origin }: Started,
  { abortSignal, includeRawChunks }: LanguageModelCall,
): ReadableStream<StreamPart> {
  const chunks = generation[Symbol.asyncIterator]();
  const { id } = origin;
  let isOpen = false;
  const partsOf = (chunk: Chunk): StreamPart[] => {
    const parts: StreamPart[] = includeRawChunks ? [{ type: 'raw', rawValue: chunk }] : [];
    if (chunk.text === '') return parts;
    if (!isOpen) parts.push({ type: 'text-start', id });
    isOpen = true;
    return [...parts, { type: 'text-delta', id, delta: chunk.text }];
  };
  // A pull that gives nothing is not repeated, so each goes on until there is something.
  const nextParts = async (): Promise<{ parts: StreamPart[]; isLast: boolean }> => {
    for (;;) {
      const { done, value } = await chunks.next();
      if (done) return { parts: [{ type: 'finish', ...endOf(await generation.result()) }], isLast: true };
      const parts = partsOf(value);
      if (parts.length > 0) return { parts, isLast: false };
    }
  };
  const failed = (error: unknown): { parts: StreamPart[]; isLast: boolean } => ({
    parts: [
      { type: 'error', error },
      { type: 'finish', finishReason: { unified: 'error', raw: undefined }, usage: usageOf(undefined) },
    ],
    isLast: true,
  });
  return new ReadableStream<StreamPart>(
    {
      start(controller) {
        controller.enqueue({ type: 'stream-start', warnings });
        controller.enqueue({ type: 'response-metadata', ...origin });
      },
      async pull(controller) {
        const { parts, isLast } = await nextParts().catch((error: unknown) => {
          // As with an aborted request, the stream itself fails.
          if (abortSignal?.aborted) throw error;
          return failed(error);
        });
        if (isLast && isOpen) controller.enqueue({ type: 'text-end', id });
        for (const part of parts) controller.enqueue(part);
        if (isLast) controller.close();
      },
      async cancel() {
        await chunks.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

const ENDS: Record<FinishReason, AnswerEnd['unified']> = {
  eos: 'stop',
  stop: 'stop',
  length: 'length',
  time: 'other',
  cancelled: 'other',
};

function endOf(result: Result): {
  finishReason: AnswerEnd;
  usage: AnswerUsage;
  providerMetadata: AnswerMetadata;
} {
  const { finishReason, seed, timings, tokens } = result;
  const hasLogprobs = tokens[0]?.logprob !== undefined;
  return {
    finishReason: { unified: ENDS[finishReason], raw: finishReason },
    usage: usageOf(result.usage),
    providerMetadata: {
      neox: { seed, finishReason, timings: { ...timings }, ...(hasLogprobs ? { tokens } : {}) },
    },
  };
}

function usageOf(usage: Result['usage'] | undefined): AnswerUsage {
  return {
    inputTokens: {
      total: usage?.promptTokens,
      noCache: usage && usage.promptTokens - usage.cachedTokens,
      cacheRead: usage?.cachedTokens,
      cacheWrite: undefined,
    },
    outputTokens: { total: usage?.completionTokens, text: usage?.completionTokens, reasoning: undefined },
  };
}
