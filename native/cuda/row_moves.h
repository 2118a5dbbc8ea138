// What takes whole rows of activations from one place to another, and what an importance matrix is made of.
#pragma once

#include <cstdint>

#include "cuda/runtime.h"

namespace neox::cuda {

// to[i] = from[slots[i]] for i < n: rows of n_cols floats, `stride` apart in both.
struct GatherArgs {
    const float* from;
    float* to;
    const std::int32_t* slots;  // [n], on the device
    std::int32_t n;
    std::int64_t n_cols, stride;
};
void launch_gather(Stream& stream, const GatherArgs& args);

// sums[column] += x^2 over the n rows of x, each column row after row, as add_squares() of model/forward.h.
struct SquaresArgs {
    const float* x;  // [n][stride]
    double* sums;    // [n_cols]
    std::int32_t n;
    std::int64_t n_cols, stride;
};
void launch_squares(Stream& stream, const SquaresArgs& args);

}  // namespace neox::cuda
