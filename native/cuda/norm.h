// Rows of activations, normalized and rounded for the products.
#pragma once

#include <cstdint>

#include "cuda/runtime.h"

namespace neox::cuda {

// Rows x of f32 become rows y of f32, rows y16 of f16 with a scale for each row (value = y16 * scale), or both. Under a weight
// they are normalized first: y = (x - mean) / sqrt(variance + eps) * weight + bias, biased variance.
//
// A scale is a power of two: 1 where the largest magnitude of the row lies in [1/4, 32768], else such that the largest
// magnitude becomes one of [1, 4), so that nothing overflows and nothing of a row is lost that counts beside its largest value.
// (Below 2^-100 it stops following.) NaN and infinities stay what they are.
struct NormArgs {
    const float* x = nullptr;   // [n_rows][x_stride], aligned to 16 bytes
    std::int64_t x_stride = 0;  // strides are multiples of 32
    int n_rows = 0;
    int n_cols = 0;
    const float* weight = nullptr;  // [n_cols]; nullptr: rows stay as they are
    const float* bias = nullptr;    // [n_cols], with weight
    float eps = 0;
    float* y = nullptr;  // [n_rows][y_stride], aligned to 16 bytes; zeros behind n_cols. May be x. Or nullptr
    std::int64_t y_stride = 0;
    std::uint16_t* y16 = nullptr;  // [n_rows][y16_stride], likewise
    std::int64_t y16_stride = 0;
    float* scale = nullptr;  // [n_rows], with y16
};

// A row's bits depend on that row alone.
void launch_norm(Stream& stream, const NormArgs& args);

}  // namespace neox::cuda
