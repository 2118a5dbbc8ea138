// The GPT-NeoX transformer on the CPU.
#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "kernels/matmul.h"
#include "model/attention.h"
#include "model/backend.h"
#include "model/batch.h"
#include "model/cpu_weights.h"
#include "model/kv_memory.h"
#include "model/profile.h"
#include "model/rope_table.h"

namespace neox {

// Scratch of one backend, sized for max_rows. Row strides are rounded up to whole panels of 16.
struct Activity {
    AlignedBuffer<float> x;        // [n, n_embd] residual stream
    AlignedBuffer<float> mid;      // [n, n_embd] residual stream after attention
    AlignedBuffer<float> norm;     // [n, n_embd] output of a LayerNorm, contiguous
    AlignedBuffer<float> qkv;      // [n, 3 n_embd]
    AlignedBuffer<float> attn;     // [n, n_embd] heads side by side, contiguous
    AlignedBuffer<float> ffn;      // [n, n_ff]
    AlignedBuffer<float> logits;   // [kHeadRows, n_vocab]
    std::vector<const Row*> rows;  // rows still alive: those of phase prompt, then those of phase step
    int n_prompt = 0;              // how many of them are prompt rows
};

// One CPU backend: what forward() works on.
struct CpuState {
    const CpuWeights& weights;
    const Kernels& kernels;
    ThreadPool pool;
    KvMemory kv;
    RopeTable rope;
    BackendOptions options;
    Activity act;
    ActivationBuffer quantized;
    ActivationBuffer quantized_ffn;  // written by the product before
    AttentionScratch attention;
    Stopwatch watch;
};

// See Backend::forward.
void forward(CpuState& state, const Batch& batch, std::int32_t layer_begin, std::int32_t layer_end,
             float* carry);

// y[n, w.n_rows] = epilogue(x W^T) for the live rows, from row `first` on, each in the arithmetic of its phase. x is
// contiguous; with `norm` it is a residual stream (rows panel_stride() apart) that is normalized on the way.
void project(CpuState& state, const ResidentMatrix& w, const float* x, float* y, std::int64_t y_stride,
             const Epilogue& epilogue, const RowNorm* norm = nullptr, int first = 0);

// x = mid + W_down gelu(W_up norm(h) + b) + b for the prompt rows, if what lies between the two products can stay out
// of memory. Returns the number of rows done. A single row reads its weights faster without.
int chain_feed_forward(CpuState& state, const CpuLayer& w, const float* h, const RowNorm& norm,
                       Activation gelu);

// Rows [first, first + n) of x, a residual stream, to the same rows of state.act.norm.
void layer_norm(CpuState& state, const float* x, const RowNorm& norm, int first, int n);

// sums[column] += x^2 over the live rows of x [n, n_cols], contiguous; each column row after row. For InputSquares.
void add_squares(CpuState& state, const float* x, std::int64_t n_cols, double* sums);

// Final norm, head and what each live row wants of them (head.cpp). Rows of cancelled sequences are dropped on the way.
void write_outputs(CpuState& state, const Batch& batch);

bool is_cancelled(const Batch& batch, const Row& row);

inline std::int64_t panel_stride(std::int64_t n) { return (n + kPanelRows - 1) / kPanelRows * kPanelRows; }

}  // namespace neox
