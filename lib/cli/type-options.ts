// The flags that say which type a model's matrices get, and the table that explains the types.

import {
  ArgumentError,
  type FileType,
  type TensorType,
  type TypeOptions,
  toFileType,
  toTensorType,
} from '../index.js';
import type { OptionSpec } from './command.js';
import { UsageError } from './exit-codes.js';

/** Type, bits per weight and GB (10^9 bytes) of rinna/japanese-gpt-neox-3.6b in it, and what to expect. A test computes them. */
export const TYPE_TABLE: readonly (readonly [FileType, string, string, string])[] = [
  ['F32', '32.00', '14.429', 'exact arithmetic; twice the size of most checkpoints'],
  ['F16', '16.01', '7.217', 'what most checkpoints hold'],
  ['BF16', '16.01', '7.217', 'as F16, with the range of F32 and fewer digits'],
  ['Q8_0', '8.51', '3.837', 'hardly to be told from F16'],
  ['Q6_K', '6.57', '2.963', 'very small loss'],
  ['Q5_1', '6.02', '2.716', 'older; Q5_K_M is smaller'],
  ['Q5_K_M', '5.83', '2.629', 'small loss'],
  ['Q5_K_S', '5.54', '2.496', 'small loss'],
  ['Q5_0', '5.54', '2.496', 'older; takes rows that Q5_K does not'],
  ['Q4_K_M', '5.13', '2.314', 'a good balance: begin here'],
  ['Q4_1', '5.05', '2.277', 'older; Q4_K_S is smaller'],
  ['Q4_K_S', '4.62', '2.085', 'smaller, with more loss than Q4_K_M'],
  ['IQ4_NL', '4.60', '2.073', 'as Q4_K_S; takes rows that Q4_K does not'],
  ['Q4_0', '4.56', '2.057', 'older; more loss than Q4_K_S'],
  ['Q3_K_L', '4.83', '2.179', 'clear loss, hardly smaller than Q4_K_S'],
  ['Q3_K_M', '4.23', '1.907', 'clear loss'],
  ['Q3_K_S', '3.53', '1.590', 'large loss'],
  ['Q2_K', '3.25', '1.465', 'large loss: only where nothing else fits'],
];

/** {@link TYPE_TABLE} for the end of a command's help. */
export const typeNotes = [
  'Types, with bits per weight and the size of rinna/japanese-gpt-neox-3.6b:',
  ...TYPE_TABLE.map(
    ([type, bits, size, word]) =>
      `  ${type.padEnd(7)}${bits.padStart(6)} bits ${size.padStart(7)} GB  ${word}`,
  ),
  'A type that ends in _S, _M or _L is a mix: tensors that matter more get more bits.',
].join('\n');

/** `q4_k_m` is Q4_K_M, `Q4_K` as well. */
export function fileType(text: string): FileType {
  return usage(() => toFileType(text));
}

function tensorType(text: string): TensorType {
  return usage(() => toTensorType(text, 'type'));
}

/** `ffn_down=Q6_K`. */
function tensorOverride(text: string): [string, TensorType] {
  const at = text.lastIndexOf('=');
  if (at < 1) throw new UsageError('Expected <regex>=<type>.');
  return [text.slice(0, at), tensorType(text.slice(at + 1))];
}

function usage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ArgumentError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

export const typeFlag: OptionSpec = { flags: '--type <type>', help: 'type of the matrices', parse: fileType };

export const typeFlags: readonly OptionSpec[] = [
  { flags: '--pure', help: 'the same type for every matrix, not the mix' },
  { flags: '--output-tensor-type <type>', help: 'type of output.weight', parse: tensorType },
  { flags: '--token-embedding-type <type>', help: 'type of token_embd.weight', parse: tensorType },
  {
    flags: '--tensor-type <regex=type>',
    help: 'type of the tensors that match; may be repeated, the first counts',
    parse: tensorOverride,
    repeats: true,
  },
];

export interface TypeFlags extends Pick<TypeOptions, 'pure' | 'outputTensorType' | 'tokenEmbeddingType'> {
  type?: FileType;
  tensorType?: [string, TensorType][];
}

/** The flags as options of `convert` and `quantize`. */
export function typeOptions(flags: TypeFlags): TypeOptions {
  const { type, pure, outputTensorType, tokenEmbeddingType, tensorType: overrides } = flags;
  return {
    ...(type === undefined ? {} : { type }),
    ...(pure === undefined ? {} : { pure }),
    ...(outputTensorType === undefined ? {} : { outputTensorType }),
    ...(tokenEmbeddingType === undefined ? {} : { tokenEmbeddingType }),
    ...(overrides === undefined ? {} : { tensorTypes: Object.fromEntries(overrides) }),
  };
}
