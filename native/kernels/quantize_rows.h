// Rows of f32 to rows of any weight type, with the best scales that a bounded search finds.
//
// The search minimizes the sum over each block of w (x - x')^2, x' being what dequantization gives.
//   with importance v of the column:  w = v sqrt(s + x^2); Q6_K: v
//   without:  Q4_0 to Q5_1: 1. Q2_K, Q3_K, Q6_K, IQ4_NL: |x|. Q4_K, Q5_K: |x| + rms of the sub-block.
// s is the mean square of the row (Q4_0 to Q5_1), of the block (Q2_K) or twice that (the others). These are
// the weights of ggml's quantizers but in Q3_K, Q6_K and IQ4_NL without importance, where ggml has x^2: |x|
// leaves less plain error, and the one weighted by x^2 still falls below ggml's. Q8_0 has no search: its
// scale is absmax / 127, rounding to nearest, ties away from zero; importance is ignored.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace neox {

struct Kernels;

// x [n_rows, n_cols], row-major -> dst, row_bytes(dtype, n_cols) apart. importance [n_cols] or nullptr: how
// much an error in each column counts, as an importance matrix tells (mean of the squared activations);
// finite, >= 0. ERR_NEOX_FORMAT_SHAPE when n_cols is no multiple of the block length, ERR_NEOX_UNSUPPORTED
// when can_quantize(dtype) is false, ERR_NEOX_FORMAT_VALUE, with the column, for an importance that is
// negative or not finite, or, in quantized types, a value that is not finite or above 65504, or, in F16, a
// finite one that would become infinite. Thread-safe;
// picks the active kernels. The same row gives the same bytes on every instruction set.
void quantize_rows(DType dtype, const float* x, std::int64_t n_rows, std::int64_t n_cols,
                   const float* importance, std::byte* dst);
// The same with the given kernels.
void quantize_rows(const Kernels& kernels, DType dtype, const float* x, std::int64_t n_rows,
                   std::int64_t n_cols, const float* importance, std::byte* dst);

}  // namespace neox
