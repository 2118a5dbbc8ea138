// A tensor as a file describes it: a view, it owns no data.
#pragma once

#include <cstdint>
#include <string>

#include "tensor/dtype.h"

namespace neox {

struct Tensor {
    std::string name;
    DType dtype = DType::F32;
    int n_dims = 0;  // 1 to 4
    std::uint64_t shape[4] = {1, 1, 1,
                              1};  // GGUF order: shape[0] is the innermost (columns), shape[1] the rows
    std::uint64_t offset = 0;      // bytes from the start of the file's data section
    std::uint64_t n_bytes = 0;

    std::uint64_t n_cols() const { return shape[0]; }
    std::uint64_t n_rows() const { return shape[1] * shape[2] * shape[3]; }
    std::uint64_t n_elements() const { return n_cols() * n_rows(); }
};

}  // namespace neox
