// The types of the tensors of a file to be written, and what the caller is told of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gguf/gguf.h"
#include "jobs/tensor_errors.h"
#include "model/type_mix.h"

namespace neox {

struct WrittenFile {
    std::uint64_t n_bytes = 0;             // of tensor data
    std::vector<std::string> fallbacks;    // tensors whose rows the asked type does not fit: they got another
    std::vector<std::string> requantized;  // tensors that were quantized before, to another type
    std::vector<std::string> unweighted;   // matrices of layers that the importance matrix lacks
    std::vector<TensorError> errors;       // where asked for, of the matrices whose types changed
};

// Gives each tensor of `file`, which come with the types that they have, those of the rules, and sets
// general.file_type and, where a tensor is quantized, general.quantization_version. Where the rules keep the
// matrices' types, the one of most elements names the file. ERR_NEOX_UNSUPPORTED for a type that cannot be
// read, ERR_NEOX_INVALID_ARGUMENT for an override that matches no matrix.
WrittenFile assign_types(GgufFile& file, const TypeRules& rules, std::int32_t n_layer);

// Bytes of all tensors, padding left out.
std::uint64_t tensor_bytes(const GgufFile& file);

}  // namespace neox
