// The GPT-NeoX transformer on the GPU: the steps of model/forward.h under the same names. A step asks the stream for kernels; the
// host waits where it needs a result, and in long passes so as to be near when a sequence is cancelled.
#pragma once

#include <cstdint>

#include "cuda/epilogue.h"
#include "cuda/planes.h"
#include "cuda/state.h"
#include "model/batch.h"

namespace neox::cuda {

// See Backend::forward.
void forward(CudaState& state, const Batch& batch, std::int32_t layer_begin, std::int32_t layer_end,
             float* carry);

// Weights of a LayerNorm, on the device.
struct RowNorm {
    const float* weight;
    const float* bias;
};

// Rows of activations on the device, `stride` apart.
struct Rows {
    float* data;
    std::int64_t stride;
};

// y = epilogue(x W^T) for slots [0, n_prompt) of prompts and n_step of steps behind them, each in the arithmetic of its phase
// (plan_products()). With `norm` x is a residual stream that is normalized on the way.
// n_cols: of x, what the matrix has without its padding.
void project(CudaState& state, const MatrixView& w, int n_cols, Rows x, Rows y, const Epilogue& epilogue,
             const RowNorm* norm, int n_prompt, int n_step);

// y = LayerNorm(x), [n_rows, n_embd]; y may be x.
void layer_norm(CudaState& state, Rows x, Rows y, const RowNorm& norm, int n_rows);

// Final norm, head and what each live row wants of them, in chunks of kHeadRows rows; waits for their results. Rows that are
// cancelled by now are dropped.
void write_outputs(CudaState& state);

// sums[column] += x^2 over rows [0, n_rows) of x, each column row after row. For InputSquares; waits for it.
void add_squares(CudaState& state, Rows x, int n_rows, std::int64_t n_cols, double* sums);

}  // namespace neox::cuda
