// A GGUF file -> the same model in another type.
#pragma once

#include <string>
#include <vector>

#include "jobs/control.h"
#include "tensor/dtype.h"

namespace neox {

struct QuantizeOptions {
    std::string source;
    std::string output;  // may be the source: it is replaced when all is written
    DType type = DType::Q8_0;
};

struct QuantizeResult {
    std::uint64_t n_bytes = 0;           // of tensor data
    std::vector<std::string> fallbacks;  // tensors that became F16 because of their row length
};

// Metadata is kept; general.file_type and general.quantization_version follow the new type. Reads and writes
// slices, so memory does not grow with the model. Throws as convert() does.
QuantizeResult quantize(const QuantizeOptions& options, const JobControl& control = {});

}  // namespace neox
