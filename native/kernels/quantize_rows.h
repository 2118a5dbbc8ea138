// Rows of f32 to rows of any weight type, with the best scales that a bounded search finds.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace neox {

// x [n_rows, n_cols], row-major -> dst, row_bytes(dtype, n_cols) apart. importance [n_cols] or nullptr: how much
// an error in each column counts, as an importance matrix tells (mean of the squared activations).
// ERR_NEOX_FORMAT_SHAPE when n_cols is no multiple of the block length, ERR_NEOX_UNSUPPORTED when
// can_quantize(dtype) is false, ERR_NEOX_FORMAT_VALUE, with row and column, for a value that is not finite or too large
// for the type's scale. Thread-safe; uses the active kernels.
void quantize_rows(DType dtype, const float* x, std::int64_t n_rows, std::int64_t n_cols,
                   const float* importance, std::byte* dst);

}  // namespace neox
