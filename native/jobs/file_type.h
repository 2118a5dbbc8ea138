// Which tensor gets which type in a file of a given type, and the numbers that GGUF has for it.
//
//   vectors (norms, biases)     F32
//   matrices                    the file's type
//   output.weight in Q4_0       Q8_0 (llama.cpp has Q6_K there: the head's error reaches the logits directly)
//   a matrix whose rows are no multiple of the type's block   F16
#pragma once

#include <optional>

#include "gguf/gguf.h"
#include "tensor/tensor.h"

namespace neox {

// Throws ERR_NEOX_UNSUPPORTED for a type that cannot be written.
void check_file_type(DType type);
// `type`: of the file; nullopt keeps each matrix as it is.
DType type_in_file(const Tensor& tensor, std::optional<DType> type);
// Whether type_in_file() had to fall back to F16 because of the row length.
bool falls_back(const Tensor& tensor, std::optional<DType> type);
// Sets general.file_type and, where a tensor is quantized, general.quantization_version. Without a type, that
// of the largest part of the elements is named.
void set_file_type(GgufFile& file, std::optional<DType> type);

}  // namespace neox
