// Rows in a file's layout into the planes of a matrix, on the GPU.
#pragma once

#include "cuda/planes.h"
#include "cuda/runtime.h"

namespace neox::cuda {

struct SplitPlanesArgs {
    const std::byte* rows;  // [n_rows] rows in GGUF layout, one after the other; aligned to 16
    std::int32_t n_rows;
    std::int32_t first_row;  // where they go
    std::int32_t n_cols;     // as in the file
    MatrixView to;           // in memory that may be written
};

// Writes these rows' groups, the last one filled up with zeros; padding beyond them stays as it is.
void launch_split_planes(Stream& stream, const SplitPlanesArgs& args);

}  // namespace neox::cuda
