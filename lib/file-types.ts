// What a file's matrices can be asked to be, and the options that say so.

import type { NativeTypeRules } from './native-load-types.js';
import type { FileType, FileTypeName, TensorType } from './types.js';
import { assertBoolean, assertObject, didYouMean, unexpected } from './validate.js';

/** Types of files, from many bits to few; a test compares them with the addon's. */
export const FILE_TYPES = [
  ...['F32', 'F16', 'BF16', 'Q8_0', 'Q6_K', 'Q5_1', 'Q5_K_M', 'Q5_K_S', 'Q5_0', 'Q4_K_M', 'Q4_1', 'Q4_K_S'],
  ...['IQ4_NL', 'Q4_0', 'Q3_K_L', 'Q3_K_M', 'Q3_K_S', 'Q2_K'],
] as readonly FileType[];

/** Types of tensors. */
export const TENSOR_TYPES = [
  ...['F32', 'F16', 'BF16', 'Q8_0', 'Q6_K', 'Q5_1', 'Q5_K', 'Q5_0', 'Q4_1', 'Q4_K', 'IQ4_NL', 'Q4_0', 'Q3_K'],
  'Q2_K',
] as readonly TensorType[];

const ALIASES: Readonly<Record<string, FileType>> = { Q3_K: 'Q3_K_M', Q4_K: 'Q4_K_M', Q5_K: 'Q5_K_M' };

/** Which tensor gets which type. */
export interface TypeOptions {
  /**
   * Of the matrices, in any case. The _S, _M and _L types are mixes: tensors that matter more get more bits, by llama.cpp's
   * rules. `Q3_K`, `Q4_K` and `Q5_K` stand for their _M.
   */
  type?: FileTypeName;
  /** Gives every matrix the same type, instead of the mix. @defaultValue `false` */
  pure?: boolean;
  /** Of `output.weight`, the head. @defaultValue by the mix: `Q6_K`, in a Q8_0 file `Q8_0` */
  outputTensorType?: TensorType | Lowercase<TensorType>;
  /** Of `token_embd.weight`. @defaultValue by the mix */
  tokenEmbeddingType?: TensorType | Lowercase<TensorType>;
  /**
   * Types by tensor name: regular expressions over GGUF's names, such as `blk\.0\.ffn_down`; the first that matches counts,
   * and one that matches no matrix is an error.
   * @defaultValue none
   */
  tensorTypes?: Readonly<Record<string, TensorType | Lowercase<TensorType>>>;
}

export const TYPE_OPTIONS = ['type', 'pure', 'outputTensorType', 'tokenEmbeddingType', 'tensorTypes'];

/**
 * The file type of a name in any case.
 * @throws ArgumentError
 */
export function toFileType(name: unknown, option = 'type'): FileType {
  const upper = typeof name === 'string' ? name.toUpperCase() : '';
  const found = FILE_TYPES.find((type) => type === upper) ?? ALIASES[upper];
  if (found !== undefined) return found;
  throw unexpected(`one of ${FILE_TYPES.join(', ')}`, option, name, hintOf(name, FILE_TYPES));
}

/**
 * The tensor type of a name in any case.
 * @throws ArgumentError
 */
export function toTensorType(name: unknown, option: string): TensorType {
  const found = TENSOR_TYPES.find((type) => typeof name === 'string' && type === name.toUpperCase());
  if (found !== undefined) return found;
  throw unexpected(`one of ${TENSOR_TYPES.join(', ')}`, option, name, hintOf(name, TENSOR_TYPES));
}

function hintOf(name: unknown, types: readonly string[]): string {
  return typeof name === 'string' ? didYouMean(name, types) : '';
}

/** @throws ArgumentError */
export function checkTypeOptions(options: TypeOptions): NativeTypeRules {
  const { type, pure, outputTensorType, tokenEmbeddingType, tensorTypes } = options;
  const types: NativeTypeRules = {};
  if (type !== undefined) types.type = toFileType(type);
  if (pure !== undefined) {
    assertBoolean('pure', pure);
    types.pure = pure;
  }
  const overrides: { pattern: string; type: TensorType }[] = [];
  const add = (pattern: string, value: unknown, option: string): void => {
    if (value !== undefined) overrides.push({ pattern, type: toTensorType(value, option) });
  };
  add('^output\\.weight$', outputTensorType, 'outputTensorType');
  add('^token_embd\\.weight$', tokenEmbeddingType, 'tokenEmbeddingType');
  if (tensorTypes !== undefined) {
    assertObject('tensorTypes', tensorTypes);
    for (const [pattern, value] of Object.entries(tensorTypes))
      add(pattern, value, `tensorTypes['${pattern}']`);
  }
  if (overrides.length > 0) types.overrides = overrides;
  return types;
}
