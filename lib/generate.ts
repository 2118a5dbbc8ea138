// From a prompt and options to a Generation: what Model and Session have in common.

import { Choices } from './choices.js';
import { resolveBreakers } from './dry-breakers.js';
import type { ResolvedOptions } from './generate-options.js';
import { Generation, type GenerationRun } from './generation.js';
import type { LoadedModel } from './loaded-model.js';
import type { NativeSamplerOptions, NativeSession } from './native.js';
import { Output } from './output.js';
import type { PreparedPrompt } from './prompt.js';
import { TextStream } from './text-stream.js';
import type { FinishReason } from './types.js';

// Stands for a row that was given as an embedding.
const EMBEDDING = -1;

export interface GenerateCall {
  model: LoadedModel;
  options: ResolvedOptions;
  /** Without one the call makes a sequence for itself. Asked for when the work starts. */
  session?: () => NativeSession;
  /** Asked for when the work starts, after `session`. */
  prompt: () => PreparedPrompt;
  /** Most new tokens when neither options nor defaults name a number: this many, or what fits. */
  defaultNewTokens: number;
  /** Replacements in the decoded text. */
  replace?: [string, string][];
  /** The call was submitted. */
  started?: () => void;
  ended?: (reason: FinishReason) => void;
}

/** @throws ArgumentError; NeoxError `ERR_NEOX_NO_TOKENIZER` for stop strings without one */
export function startGeneration(call: GenerateCall): Generation {
  const { sampler, breakers, signal, stop, numReturnSequences } = call.options;
  if (stop.length > 0) call.model.requireTokenizer();
  if (breakers) {
    Object.assign(sampler, resolveBreakers(breakers.given, call.model.tokenizer, call.replace));
  }
  return new Generation({
    start: () => start(call),
    sequences: numReturnSequences,
    seed: sampler.seed,
    signal,
    ...(call.ended ? { ended: call.ended } : {}),
  });
}

function start({ model, options, ...call }: GenerateCall): GenerationRun {
  model.assertAlive();
  const session = call.session?.();
  const prompt = call.prompt();
  const held = session ? Array.from(session.ids()) : [];
  const room = model.roomAfter(session) - prompt.length;
  const wanted = options.defaultNewTokens ?? call.defaultNewTokens;
  const maxNewTokens = options.maxNewTokens ?? Math.max(1, Math.min(wanted, room));
  const used = (session?.length() ?? 0) + prompt.length;
  const { logprobs, maxTimeMs, draftTokens, logitsProcessor } = options;
  const promptIds = [...held.filter((id) => id >= 0), ...prompt.ids];
  // As in transformers: processors of a prompt given as embeddings see the new ids only.
  const hasEmbeddings = held.includes(EMBEDDING) || prompt.length > prompt.ids.length;
  const outputs = Array.from(
    { length: options.numReturnSequences },
    (_, index) => new Output(index, textStream(model, options, promptIds, call.replace ?? [])),
  );
  const request = {
    ...(session ? { session } : {}),
    prompt: prompt.parts,
    maxNewTokens,
    sampler: { ...options.sampler, ...lengths(options.sampler, used, hasEmbeddings, maxNewTokens) },
    logprobs,
    draftTokens,
    maxTimeMs,
    externalScores: logitsProcessor !== undefined,
  };
  const run = new Choices({
    model,
    request,
    outputs,
    promptTokens: prompt.length,
    processorIds: hasEmbeddings ? [] : promptIds,
    logitsProcessor,
  });
  call.started?.();
  return run;
}

/**
 * The lengths that processors compare with, as transformers prepares them: `minNewTokens` sets `minLength` aside, and where the
 * prompt has embeddings they count the new ids alone. Source: generation/utils.py, _prepare_generated_length.
 */
function lengths(
  { minLength = 0, minNewTokens }: NativeSamplerOptions,
  used: number,
  hasEmbeddings: boolean,
  maxNewTokens: number,
): { minLength: number; maxLength: number } {
  const before = hasEmbeddings ? used : 0;
  return {
    minLength: minNewTokens === undefined ? Math.max(0, minLength - before) : 0,
    maxLength: Math.min(used - before + maxNewTokens, 0x7fffffff),
  };
}

function textStream(
  model: LoadedModel,
  options: ResolvedOptions,
  promptIds: readonly number[],
  replace: [string, string][],
): TextStream | undefined {
  const decode = model.tokenizer?.createDecodeStream({
    skipSpecialTokens: options.skipSpecialTokens,
    replace,
    ...(options.text === 'continuation' ? { prompt: promptIds } : {}),
  });
  return decode && new TextStream(decode, options.stop);
}
