// Rows of GGUF types to and from f32, where no search is needed (kernels/quantize_rows.h quantizes to every
// type).
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace neox {

// Whether rows of this type can be read / written here or by quantize_rows: every type but integers and F64.
bool can_dequantize(DType dtype);
bool can_quantize(DType dtype);
// Whether its scales are searched for: the quantized types but Q8_0.
bool needs_code_search(DType dtype);

// ERR_NEOX_FORMAT_VALUE, naming the column, for a value that is not finite or above 65504: a block's scale is
// an f16 number and must not become infinite.
void check_quantizable(const float* x, std::int64_t n);

// n elements, a multiple of the block length (else ERR_NEOX_FORMAT_SHAPE). Equal to gguf-py byte for byte.
// Throws ERR_NEOX_UNSUPPORTED for other types; quantize_row also for those that need a search.
void dequantize_row(DType dtype, const std::byte* src, std::int64_t n, float* dst);
// Q8_0's scale is absmax / 127, and its values are those that check_quantizable accepts. F16 refuses finite
// values that it would make infinite (ERR_NEOX_FORMAT_VALUE, naming the column); infinities and NaNs stay.
void quantize_row(DType dtype, const float* src, std::int64_t n, std::byte* dst);

}  // namespace neox
