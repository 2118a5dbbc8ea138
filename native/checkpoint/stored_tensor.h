// A tensor as a checkpoint file of Hugging Face describes it, whatever the file's format.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace neox {

struct StoredTensor {
    std::string name;
    std::string dtype_name;            // as safetensors spells it: "F32", "BOOL"
    std::optional<DType> dtype;        // nullopt: no tensor of a model has it here ("U8", "BOOL", "F8_E4M3")
    std::vector<std::uint64_t> shape;  // outermost first; empty for a scalar
    std::uint64_t offset = 0;          // of the first element, from the start of the file
    std::uint64_t n_bytes = 0;         // of all elements
    bool is_contiguous = true;  // false: the elements do not lie one after the other (a saved transpose)
};

}  // namespace neox
