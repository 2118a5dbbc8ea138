// The AI SDK's settings of a call as options of this package.

import { ArgumentError, type GenerateOptions, type Session } from '../index.js';
import type { CallWarning, LanguageModelCall } from './specification.js';

/** What holds for every call that says nothing else: options of `Model.generate`, and where the conversation is kept. */
export interface LanguageModelSettings extends Omit<GenerateOptions, 'signal' | 'numReturnSequences'> {
  /**
   * A session of the same model, for one conversation: of the messages that a call brings, what the session has computed
   * before is not computed again. It takes one call at a time. @defaultValue none
   */
  session?: Session;
}

// Each asks for drawing, unless it has the value that switches it off; `temperature: 0` cannot stand beside them.
const DRAWING = { topK: 0, topP: 1, minP: 0, typicalP: 1, epsilonCutoff: 0, etaCutoff: 0 } as const;
const DRAWING_OPTIONS = Object.keys(DRAWING) as (keyof typeof DRAWING)[];

/** @throws ArgumentError */
export function toGenerateOptions(
  call: LanguageModelCall,
  settings: Omit<LanguageModelSettings, 'session'>,
): { options: GenerateOptions; warnings: CallWarning[] } {
  const warnings = warningsOf(call);
  const isGreedy = call.temperature === 0;
  const own: GenerateOptions = defined({
    maxNewTokens: call.maxOutputTokens,
    temperature: call.temperature,
    topP: isGreedy ? undefined : call.topP,
    topK: isGreedy ? undefined : call.topK,
    presencePenalty: call.presencePenalty,
    frequencyPenalty: call.frequencyPenalty,
    stop: call.stopSequences,
    seed: call.seed,
    ...(call.providerOptions?.neox as GenerateOptions | undefined),
  });
  const options = { ...withoutOpposites(settings, own), ...own };
  if ((options.numReturnSequences ?? 1) !== 1) {
    throw new ArgumentError('A call of the AI SDK has one answer: `numReturnSequences` must be 1.');
  }
  return { options: defined({ ...options, signal: call.abortSignal }), warnings };
}

function warningsOf({ tools, responseFormat, temperature, topP, topK }: LanguageModelCall): CallWarning[] {
  const unsupported = (feature: string, details: string): CallWarning => ({
    type: 'unsupported',
    feature,
    details,
  });
  const warnings: CallWarning[] = [];
  if (tools && tools.length > 0) warnings.push(unsupported('tools', 'The model is told of none.'));
  if (responseFormat && responseFormat.type !== 'text') {
    warnings.push(unsupported('responseFormat', 'The answer is text as the model writes it.'));
  }
  for (const [name, value] of Object.entries({ topP, topK })) {
    if (temperature !== 0 || value === undefined) continue;
    warnings.push(unsupported(name, 'Nothing is drawn at temperature 0.'));
  }
  return warnings;
}

// A call that asks for the most likely tokens sets aside how the settings would draw, and the other way round.
function withoutOpposites(settings: GenerateOptions, own: GenerateOptions): GenerateOptions {
  const rest = { ...settings };
  const isGreedy = own.temperature === 0 || own.doSample === false;
  const isDrawn = own.doSample ?? (own.temperature !== undefined || DRAWING_OPTIONS.some(isAskedFor(own)));
  if (!isGreedy && !isDrawn) return rest;
  delete rest.doSample;
  if (isGreedy || rest.temperature === 0) delete rest.temperature;
  if (isGreedy) for (const name of DRAWING_OPTIONS) delete rest[name];
  return rest;
}

function isAskedFor(options: GenerateOptions): (name: keyof typeof DRAWING) => boolean {
  return (name) => options[name] !== undefined && options[name] !== DRAWING[name];
}

function defined<T extends object>(options: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
