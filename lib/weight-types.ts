// Types of weights: what one tensor is stored as, and what a file is asked to be.

/** What one tensor is stored as. */
export type TensorType =
  | ('F32' | 'F16' | 'BF16' | 'Q8_0' | 'Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1' | 'IQ4_NL')
  | ('Q2_K' | 'Q3_K' | 'Q4_K' | 'Q5_K' | 'Q6_K');

/** What a whole file is asked to be: a type for most of its matrices and, where the name ends in _S, _M or _L, a mix. */
export type FileType =
  | Exclude<TensorType, 'Q3_K' | 'Q4_K' | 'Q5_K'>
  | ('Q3_K_S' | 'Q3_K_M' | 'Q3_K_L' | 'Q4_K_S' | 'Q4_K_M' | 'Q5_K_S' | 'Q5_K_M');

/** A file type as it may be written: in any case, and `Q4_K` for `Q4_K_M`. */
export type FileTypeName = FileType | TensorType | Lowercase<FileType | TensorType>;
