// What the raw binding gives, as others than lib/native.ts need it. A tokenizer is immutable; all its methods are synchronous and
// cheap but `encode`, whose time is linear in the text.

import type { BadTensor } from './job-types.js';

/** `PieceType` of native/tokenizer/tokenizer.h. */
export const PIECE_TYPE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export interface NativeTokenizerFlags {
  addDummyPrefix: boolean;
  removeExtraWhitespaces: boolean;
  byteFallback: boolean;
  hasDenormalizer: boolean;
  /** What the unknown piece decodes to. */
  unkSurface: string;
}

export interface NativeTokenizer {
  flags(): NativeTokenizerFlags;
  /** Number of pieces. */
  size(): number;
  /** @throws ERR_NEOX_INVALID_ARGUMENT when the id is none of a piece */
  piece(id: number): string;
  /** {@link PIECE_TYPE} of all pieces, by id. */
  types(): Uint8Array;
  /** The id of a piece, or that of the unknown piece. */
  pieceToId(piece: string): number;
  /** Ids of text, without special tokens. */
  encode(text: string): Int32Array;
  /** The pieces of text; an unknown run is given as its own text. */
  tokenize(text: string): string[];
  /** The same model with `add_dummy_prefix` switched off. */
  withoutDummyPrefix(): NativeTokenizer;
}

export interface NativeModelInfo {
  name: string;
  /** Empty where the file names none. */
  chatFormat: string;
  /** Why there is no tokenizer though there seems to be one, or empty. */
  tokenizerNote: string;
  /** Text of generation_config.json; empty where there is none. */
  generationConfig: string;
  eosTokenIds: Int32Array;
  type: string;
  /** Empty where the file says nothing of it. */
  fileType: string;
  isRequantized: boolean;
  weightsBytes: number;
  device: string;
  gpuLayers: number;
  /** Why there are not more of them; empty where there is nothing to say. */
  deviceNote: string;
  isDeterministic: boolean;
  precision: string;
  kvCacheType: string;
  threads: number;
  contextLength: number;
  /** Positions that the KV pool holds, over all sequences. */
  kvCachePositions: number;
}

export interface NativeVerification {
  tensors: number;
  elements: number;
  tensorBytes: number;
  badTensors: BadTensor[];
}

/** The files of a tokenizer; texts are empty where there is none. Of `pieces` and `tokenizerJson` at most one is there. */
export interface TokenizerFiles {
  /** spiece.model */
  pieces?: NativeTokenizer | null;
  /** tokenizer.json */
  tokenizerJson?: string;
  /** tokenizer_config.json */
  config: string;
  /** special_tokens_map.json */
  specialTokensMap?: string;
  /** added_tokens.json */
  addedTokens?: string;
}

/** Fields of BeamOptions in native/engine/beam_search.h. */
export interface NativeBeams {
  numBeams: number;
  numReturnSequences: number;
  lengthPenalty: number;
  earlyStopping: 'false' | 'true' | 'never';
}

/** Fields of CollectOptions in native/jobs/imatrix.h. */
export interface NativeCollectOptions {
  model?: string;
  output: string;
  ids?: Int32Array;
  dataset?: string;
  inputs?: string[];
  chunkSize?: number;
  maxChunks?: number;
  bos?: number;
  precision?: string;
  threads?: number;
  processOutput?: boolean;
}
