// The pieces in which a job goes over the rows of many tensors: large enough for sequential reads and writes,
// small enough for a prompt answer to cancel and for even work on several threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace neox {

struct RowSlice {
    std::size_t tensor;  // index
    std::uint64_t row_begin;
    std::uint64_t n_rows;
};

// All rows of all tensors, in order, in slices of at most 4 MiB, or of one row where that is more.
inline std::vector<RowSlice> cut_rows(const std::vector<Tensor>& tensors) {
    constexpr std::uint64_t kSliceBytes = std::uint64_t{4} << 20;
    std::vector<RowSlice> slices;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        const std::uint64_t stride = row_bytes(tensors[i].dtype, tensors[i].n_cols());
        const std::uint64_t step = std::max<std::uint64_t>(1, kSliceBytes / stride);
        for (std::uint64_t row = 0; row < tensors[i].n_rows(); row += step)
            slices.push_back({i, row, std::min(step, tensors[i].n_rows() - row)});
    }
    return slices;
}

}  // namespace neox
