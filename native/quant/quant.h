// Reference quantization and dequantization of GGUF rows: scalar, exact, the oracle of the kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace neox {

// Whether rows of this type can be read / written here.
bool can_dequantize(DType dtype);
bool can_quantize(DType dtype);

// n elements, a multiple of the block length (else ERR_NEOX_FORMAT_SHAPE). Equal to gguf-py byte for byte.
// Throws ERR_NEOX_UNSUPPORTED for other types.
void dequantize_row(DType dtype, const std::byte* src, std::int64_t n, float* dst);
void quantize_row(DType dtype, const float* src, std::int64_t n, std::byte* dst);

}  // namespace neox
