// An importance matrix as the jobs that quantize use it: the weights of each tensor of a file to be written, and what the
// file then says of them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "gguf/gguf.h"
#include "model/source.h"

namespace neox {

class TensorImportance {
public:
    // For the tensors of `file`, which have the types that they are to get; `source` holds them in the same order with
    // those that they had. Sets quantize.imatrix.* as llama.cpp does, or takes those of an earlier quantization
    // away. An empty path: no importance. Throws what read_imatrix() throws, ERR_NEOX_FORMAT_SHAPE for another
    // number of columns, ERR_NEOX_FORMAT_VALUE for a matrix that has none of the file's tensors.
    TensorImportance(const std::string& path, GgufFile& file, const TensorSource& source);

    // [n_cols] of tensor `index`; empty where there is none or the type has no use for it.
    std::span<const float> of(std::size_t index) const;
    // Matrices of layers that are quantized without, because the importance matrix lacks them.
    const std::vector<std::string>& missing() const { return missing_; }

private:
    std::vector<std::vector<float>> weights_;
    std::vector<std::string> missing_;
};

}  // namespace neox
