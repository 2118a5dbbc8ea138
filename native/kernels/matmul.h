// Threading and tiling around the kernel table's matrix products; no instruction set here.
#pragma once

#include <cstdint>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "kernels/layout.h"

namespace neox {

enum class Activation : std::uint8_t { none, gelu_erf, gelu_tanh };

// Where a product's results go when nothing but the next product wants them: into its tiles, rounded as
// ActivationBuffer::prepare() would round them, without a way through the memory. See can_chain().
struct RoundedResults {
    PromptKernels kernels;  // the next product's
    std::byte* tiles;       // [ceil(n_tokens / tile_tokens)][n_rows / 32][tile_block_bytes]
};

// What is done to y while it is still in cache.
struct Epilogue {
    const float* bias = nullptr;  // [n_rows], or none
    Activation activation = Activation::none;
    const float* residual =
        nullptr;  // [n_tokens, residual_stride], added after the activation; must not alias y
    std::int64_t residual_stride = 0;
    const RoundedResults* rounded = nullptr;  // instead of y, which may then be null
};

// A LayerNorm that rows go through before they are rounded: its weight and bias, [n_cols] each.
struct RowNorm {
    const float* weight;
    const float* bias;
    float eps;
};

// x was prepared for W's type and by this pool.
// y[n_tokens, n_rows] = epilogue(x[n_tokens, n_cols] * W^T). y_stride >= 16 * W.n_panels(): whole panels are written.
void matmul(ThreadPool& pool, const Kernels& kernels, const ResidentMatrix& w, const Activations& x, float* y,
            std::int64_t y_stride, const Epilogue& epilogue);

// Owns rounded activations; prepare() fills it from f32 rows and returns a view (valid until the next prepare).
class ActivationBuffer {
public:
    // x: [n_tokens, n_cols] contiguous. `weights` is the type of the matrix that they will be multiplied by, which q8
    // depends on. f32 returns a view of x itself. Parallel over tokens.
    Activations prepare(ThreadPool& pool, const Kernels& kernels, DType weights, Arithmetic arithmetic,
                        const float* x, int n_tokens, std::int64_t n_cols);
    // The same for q8 and rows that are normalized on the way.
    Activations prepare_normalized(ThreadPool& pool, const Kernels& kernels, DType weights, const float* x,
                                   int n_tokens, std::int64_t n_cols, const RowNorm& norm);
    // A view for q8 whose tiles a product will write.
    Activations reserve(const ThreadPool& pool, const Kernels& kernels, DType weights, int n_tokens,
                        std::int64_t n_cols, RoundedResults& rounded);

private:
    PromptKernels reserve_tiles(const ThreadPool& pool, const Kernels& kernels, DType weights,
                                Activations& view);
    void fill_tiles(ThreadPool& pool, const Kernels& kernels, const PromptKernels& prompt, const float* x,
                    const RowNorm* norm, const Activations& view);

    AlignedBuffer<std::int8_t> high_;
    AlignedBuffer<std::int8_t> low_;
    AlignedBuffer<float> scale_;
    AlignedBuffer<std::int32_t> sum_;
    AlignedBuffer<std::byte> tiles_;
    AlignedBuffer<std::byte> panels_;
    AlignedBuffer<float> normalized_;  // one tile of rows for each thread
};

// The arithmetic that a weight of this type can really run when `wanted` is asked for. q8 and q15 need quantized weights and
// whole blocks of 32 columns; without them q8 becomes int16, and q15 f32. Without int16 products that becomes f32.
Arithmetic usable_arithmetic(const Kernels& kernels, DType weights, std::int64_t n_cols, Arithmetic wanted);

// Whether the q8 product of w can give its results to that of `next` as RoundedResults: its rows come in whole
// blocks, whose sums are complete when they leave the registers.
bool can_chain(const Kernels& kernels, const ResidentMatrix& w, const ResidentMatrix& next);

}  // namespace neox
