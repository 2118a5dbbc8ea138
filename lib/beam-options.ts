// How many output sequences a call gives, and whether they are drawn or searched for.

import { ArgumentError } from './errors.js';
import type { NativeBeams } from './native-types.js';
import type { GenerateOptions } from './types.js';
import { assertInteger, assertNumber, unexpected } from './validate.js';

/** Of beams, and of independent outputs. */
const MAX_SEQUENCES = 256;

export const BEAM_OPTIONS = ['numBeams', 'numReturnSequences', 'lengthPenalty', 'earlyStopping'] as const;

/** @throws ArgumentError */
export function checkBeamOptions(options: GenerateOptions): void {
  for (const name of BEAM_OPTIONS) {
    if (options[name] !== undefined) checkBeamValue(name, options[name]);
  }
}

/**
 * One value by itself.
 * @param name - what the caller calls the option
 * @throws ArgumentError
 */
export function checkBeamValue(
  option: (typeof BEAM_OPTIONS)[number],
  value: unknown,
  name: string = option,
): void {
  if (option === 'lengthPenalty') assertNumber(name, value);
  else if (option !== 'earlyStopping') assertInteger(name, value, 1, MAX_SEQUENCES);
  else if (typeof value !== 'boolean' && value !== 'never')
    throw unexpected("true, false or 'never'", name, value);
}

export interface ResolvedSequences {
  numReturnSequences: number;
  /** Undefined: the sequences are independent. */
  beams: NativeBeams | undefined;
}

/**
 * Own options over defaults.
 * @throws ArgumentError for options that contradict each other
 */
export function resolveSequences(
  own: GenerateOptions,
  defaults: GenerateOptions,
  doSample: boolean,
): ResolvedSequences {
  const numBeams = own.numBeams ?? defaults.numBeams ?? 1;
  const numReturnSequences = own.numReturnSequences ?? 1;
  const [name, count] = numBeams > 1 ? ['numBeams', numBeams] : ['numReturnSequences', numReturnSequences];
  if (count !== 1 && own.contextOverflow !== undefined && own.contextOverflow !== 'error') {
    throw new ArgumentError(
      `\`contextOverflow: '${own.contextOverflow}'\` is for one sequence, not for \`${name}: ${count}\`.`,
    );
  }
  if (numBeams === 1) {
    if (numReturnSequences === 1 || doSample) return { numReturnSequences, beams: undefined };
    throw new ArgumentError(
      `\`numReturnSequences: ${numReturnSequences}\` needs beams (\`numBeams\`) or sampling (\`doSample\`, ` +
        '`temperature`, ...): greedy decoding has one outcome.',
    );
  }
  if (numReturnSequences > numBeams) {
    throw new ArgumentError(
      `\`numReturnSequences: ${numReturnSequences}\` is more than \`numBeams: ${numBeams}\` can give.`,
    );
  }
  for (const name of ['stop', 'logitsProcessor'] as const) {
    const value = own[name] ?? defaults[name];
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    throw new ArgumentError(
      `\`${name}\` cannot stand beside \`numBeams: ${numBeams}\`: leave it out, or set \`numBeams\` to 1.`,
    );
  }
  const lengthPenalty = own.lengthPenalty ?? defaults.lengthPenalty ?? 1;
  const early = own.earlyStopping ?? defaults.earlyStopping ?? false;
  const earlyStopping = early === 'never' ? 'never' : early ? 'true' : 'false';
  return { numReturnSequences, beams: { numBeams, numReturnSequences, lengthPenalty, earlyStopping } };
}
