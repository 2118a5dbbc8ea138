// Products of a matrix with a few rows of activations: steps, whose time is that of reading the weights once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/epilogue.h"
#include "cuda/planes.h"
#include "cuda/runtime.h"

namespace neox::cuda {

// Rows of one launch; more are done in several.
inline constexpr int kMatvecRows = 8;

// y[t][row] = epilogue(sum over k of w[row][k] x[t][k]) for t < n, row < w.n_rows; columns of y behind w.n_rows stay as they are.
// Under a norm, x is normalized first: (x - mean) / sqrt(variance + eps) * weight + bias, biased variance.
//
// Activations are f32 and so are the sums: of types with codes, and F16, the activations take part as two f16 numbers of 22
// bits together, scaled by a power of two that the row's largest magnitude gives; of F32 and BF16 as they are. A row's bits
// depend on the matrix and on that row alone.
struct MatvecArgs {
    MatrixView w;
    const float* x = nullptr;   // [n][x_stride], aligned to 16 bytes
    std::int64_t x_stride = 0;  // strides are multiples of 4, and of x of 32
    int n = 0;                  // any number
    int n_cols = 0;             // of the matrix's file and of x; what is behind them in x is not used
    const float* norm_weight =
        nullptr;  // [n_cols] and memory up to a multiple of 32; nullptr: rows are taken as they are
    const float* norm_bias = nullptr;  // likewise, with norm_weight
    float norm_eps = 0;
    Epilogue epilogue;
    float* y = nullptr;  // [n][y_stride]; not x
    std::int64_t y_stride = 0;
    // The device's: what a block may ask for, and how many blocks run at once.
    std::size_t shared_bytes = 0;
    int n_multiprocessors = 0;
};

// Throws ERR_NEOX_UNSUPPORTED for a type without planes.
void launch_matvec(Stream& stream, const MatvecArgs& args);

}  // namespace neox::cuda
