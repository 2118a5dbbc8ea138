// The rows that a pass begins with, on the GPU.
#pragma once

#include "cuda/planes.h"
#include "cuda/runtime.h"

namespace neox::cuda {

struct EmbedRowsArgs {
    MatrixView embedding;
    // [n_rows] what row i begins as: the embedding of id tokens[i], or where that is negative, row -1 - tokens[i] of `given`.
    const std::int32_t* tokens;
    const float* given;  // [...][n_cols]; may be null where no token is negative
    float* out;          // [n_rows][stride], zeros from n_cols on
    std::int32_t n_rows;
    std::int32_t n_cols;
    std::int32_t stride;  // n_cols rounded up to a multiple of 32
};

// Ids must lie in the vocabulary. Begins when all before it in the stream has ended: the first kernel of a pass (cuda/rows.h).
void launch_embed_rows(Stream& stream, const EmbedRowsArgs& args);

}  // namespace neox::cuda
