// From a prompt and options to a Generation: what Model and Session have in common.

import { Beams } from './beams.js';
import { Choices } from './choices.js';
import { resolveBreakers } from './dry-breakers.js';
import type { ResolvedOptions } from './generate-options.js';
import { Generation, type GenerationRun } from './generation.js';
import type { LoadedModel } from './loaded-model.js';
import type { NativeSamplerOptions, NativeSession } from './native.js';
import { Output } from './output.js';
import { budgetTokens } from './overflow.js';
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
  /** The prompt takes the place of what the session holds. */
  isWhole?: boolean;
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
  const isWhole = call.isWhole ?? false;
  const held = session && !isWhole ? Array.from(session.ids()) : [];
  const used = held.length + prompt.length;
  const { logprobs, maxTimeMs, draftTokens, logitsProcessor, contextOverflow, overflowKeep } = options;
  const { maxNewTokens, dropped } = budgetTokens({
    contextOverflow,
    limit: options.beams ? model.beamPositions(used, options.beams.numBeams) : model.positions,
    used,
    maxNewTokens: options.maxNewTokens,
    defaultNewTokens: options.defaultNewTokens ?? call.defaultNewTokens,
  });
  const allIds = [...held.filter((id) => id >= 0), ...prompt.ids];
  // As in transformers: processors of a prompt given as embeddings see the new ids only.
  const hasEmbeddings = held.includes(EMBEDDING) || prompt.length > prompt.ids.length;
  const promptIds =
    dropped > 0 && !hasEmbeddings
      ? [...allIds.slice(0, overflowKeep), ...allIds.slice(overflowKeep + dropped)]
      : allIds;
  const outputs = Array.from(
    { length: options.numReturnSequences },
    (_, index) => new Output(index, textStream(model, options, promptIds, call.replace ?? [])),
  );
  const request = {
    ...(session ? { session } : {}),
    prompt: prompt.parts,
    ...(isWhole ? { replace: true } : {}),
    maxNewTokens,
    contextOverflow,
    overflowKeep,
    sampler: {
      ...options.sampler,
      ...lengths(options.sampler, used - dropped, hasEmbeddings, maxNewTokens),
    },
    logprobs,
    draftTokens,
    maxTimeMs,
    externalScores: logitsProcessor !== undefined,
  };
  const plan = { model, outputs, promptTokens: prompt.length };
  const run = options.beams
    ? new Beams({ ...plan, request: { ...request, beams: options.beams } })
    : new Choices({ ...plan, request, processorIds: hasEmbeddings ? [] : promptIds, logitsProcessor });
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
