// Products of matrices with rows of activations: on the tensor cores, and in f32.
#pragma once

#include <cstdint>

#include "cuda/epilogue.h"
#include "cuda/planes.h"
#include "cuda/runtime.h"

namespace neox::cuda {

// The share of a block. Results do not depend on it, to the bit.
//   tokens16, tokens64  of 32 rows of the matrix: few tokens, the time is that of reading the weights
//   tokens128           of 128 rows of the matrix
enum class MatmulTile : std::int32_t { automatic, tokens16, tokens64, tokens128 };

// y[token][row] = epilogue(sum over k of W[row][k] x[token][k]), on the tensor cores: weights rounded to f16, sums in f32.
//
// A result's bits depend on its row of the matrix and its row of x alone. The columns are cut into segments that follow from
// the matrix's shape; within one, the sum goes on in steps of 16 columns in order; segments are added in order.
//
// Weights beyond 65504, which F32, BF16 and blocks with a large scale can hold, are infinite as f16: their products are infinite
// or NaN and never a wrong number. launch_matmul_exact() multiplies them.
struct MatmulArgs {
    MatrixView weights{};
    const std::uint16_t* x =
        nullptr;                // f16 [n_tokens][x_stride] as launch_norm() writes them, aligned to 16 bytes
    std::int64_t x_stride = 0;  // a multiple of 32, at least weights.n_cols
    const float* x_scale = nullptr;  // [n_tokens]
    int n_tokens = 0;
    Epilogue epilogue{};
    float* y =
        nullptr;  // [n_tokens][y_stride], aligned to 16 bytes; zeros from n_rows to the next multiple of 32
    std::int64_t y_stride = 0;  // a multiple of 32, at least weights.n_rows
    // matmul_partial_bytes() and matmul_tickets() of them, for any number of products that run one after another. Tickets are 0
    // before the first, and again after each.
    float* partial = nullptr;
    std::int32_t* tickets = nullptr;
    int n_multiprocessors = 132;  // of the device, for the choice of a tile
    MatmulTile tile = MatmulTile::automatic;
};
void launch_matmul(Stream& stream, const MatmulArgs& args);

// How the columns of a matrix are cut: segments of `columns`, a multiple of 128, the last of which may be shorter.
struct MatmulSegments {
    int n, columns;
};
MatmulSegments matmul_segments(std::int64_t n_rows, std::int64_t n_cols);
MatmulTile choose_matmul_tile(std::int64_t n_rows, std::int64_t n_cols, int n_tokens, int n_multiprocessors);
// Of the launches of up to n_tokens rows, whatever their tiles; 0 where no columns are cut.
std::uint64_t matmul_partial_bytes(std::int64_t n_rows, std::int64_t n_cols, int n_tokens);
std::int64_t matmul_tickets(std::int64_t n_rows, std::int64_t n_cols, int n_tokens);

// The same in f32 throughout, for any number of rows. The order is that of kernels/generic/matmul_f32.h: blocks of 32 columns one
// after the other, within a block fused multiply-adds from 0 in order; a product has the bits of the CPU's.
struct MatmulExactArgs {
    MatrixView weights{};
    const float* x = nullptr;   // [n_tokens][x_stride], aligned to 16 bytes, zeros up to weights.n_cols
    std::int64_t x_stride = 0;  // a multiple of 32, at least weights.n_cols
    int n_tokens = 0;
    Epilogue epilogue{};
    float* y = nullptr;  // as in MatmulArgs
    std::int64_t y_stride = 0;
};
void launch_matmul_exact(Stream& stream, const MatmulExactArgs& args);

}  // namespace neox::cuda
