#include "kernels/matmul.h"

#include <algorithm>

#include "base/error.h"

namespace neox {
namespace {

// From here on a product in f32 is bound by arithmetic.
constexpr int kManyTokens = 8;
// With fewer slabs for each thread, threads would wait for the last one.
constexpr int kSlabsPerThread = 4;
// Tokens quantized by one task.
constexpr int kQuantizeTokens = 8;

// Where memory is the bound, whole slabs: a thread's slabs are one stream. Else pairs, the least that shares a tile.
std::int64_t panels_per_task(const ResidentMatrix& w, const Activations& x, int n_threads) {
    const bool is_stream =
        x.arithmetic == Arithmetic::q15 || (x.arithmetic == Arithmetic::f32 && x.n_tokens < kManyTokens);
    const bool has_many = w.n_panels() >= std::int64_t{kSlabPanels} * kSlabsPerThread * n_threads;
    return is_stream && has_many ? kSlabPanels : kPairPanels;
}

// Bias, activation and residual for the rows of these panels, all tokens, while they are in cache. Bias and
// residual end with the last real row.
void finish_panels(const Kernels& kernels, const MatmulArgs& args, std::int64_t n_rows,
                   const Epilogue& epilogue) {
    const std::int64_t row = args.panel_begin * kPanelRows;
    const std::int64_t n = std::min(args.panel_end * kPanelRows, n_rows) - row;
    const float* bias = epilogue.bias ? epilogue.bias + row : nullptr;
    for (int token = 0; token < args.x->n_tokens; ++token) {
        float* y = args.y + token * args.y_stride + row;
        const float* residual =
            epilogue.residual ? epilogue.residual + token * epilogue.residual_stride + row : nullptr;
        switch (epilogue.activation) {
            case Activation::none:
                if (bias || residual) kernels.bias_add(y, bias, residual, n);
                continue;
            case Activation::gelu_erf: kernels.bias_gelu_erf(y, bias, n); break;
            case Activation::gelu_tanh: kernels.bias_gelu_tanh(y, bias, n); break;
        }
        if (residual) kernels.bias_add(y, nullptr, residual, n);
    }
}

}  // namespace

void matmul(ThreadPool& pool, const Kernels& kernels, const ResidentMatrix& w, const Activations& x, float* y,
            std::int64_t y_stride, const Epilogue& epilogue) {
    const MatmulFn product = kernels.matmul(w.dtype, x.arithmetic);
    if (!product)
        fail(ErrorCode::internal, "No ", kernels.name, " product for tensor type ", static_cast<int>(w.dtype),
             " and arithmetic ", static_cast<int>(x.arithmetic), ".");
    const std::int64_t n_panels = w.n_panels();
    if (x.n_cols != w.n_cols || y_stride < n_panels * kPanelRows)
        fail(ErrorCode::internal, "Product of [", w.n_rows, ", ", w.n_cols, "] with ", x.n_cols,
             " columns into rows of ", y_stride, ".");
    if (x.n_tokens <= 0) return;
    const std::int64_t step = panels_per_task(w, x, pool.size());
    const bool has_epilogue = epilogue.bias || epilogue.residual || epilogue.activation != Activation::none;
    pool.parallel_for(static_cast<std::size_t>((n_panels + step - 1) / step), [&](std::size_t task, int) {
        const std::int64_t begin = static_cast<std::int64_t>(task) * step;
        const MatmulArgs args{w.data, w.panel_bytes, n_panels, begin, std::min(begin + step, n_panels), &x,
                              y,      y_stride};
        product(args);
        if (has_epilogue) finish_panels(kernels, args, w.n_rows, epilogue);
    });
}

Activations ActivationBuffer::prepare(ThreadPool& pool, const Kernels& kernels, Arithmetic arithmetic,
                                      const float* x, int n_tokens, std::int64_t n_cols) {
    Activations view;
    view.arithmetic = arithmetic;
    view.n_tokens = n_tokens;
    view.n_cols = n_cols;
    if (arithmetic == Arithmetic::f32) {
        view.f32 = x;
        return view;
    }
    if (arithmetic == Arithmetic::bf16) {
        const auto n_tiles = static_cast<std::size_t>((n_tokens + kBf16Tokens - 1) / kBf16Tokens);
        const auto tile_size = static_cast<std::size_t>((n_cols + 1) / 2 * kBf16Tokens);
        bf16_.grow(n_tiles * tile_size);
        pool.parallel_for(n_tiles, [&](std::size_t tile, int) {
            const int token = static_cast<int>(tile) * kBf16Tokens;
            kernels.pack_bf16(x + token * n_cols, std::min(kBf16Tokens, n_tokens - token), n_cols,
                              bf16_.data() + tile * tile_size);
        });
        view.bf16 = bf16_.data();
        return view;
    }
    if (n_cols % kQuantBlock != 0)
        fail(ErrorCode::internal, "Rows of ", n_cols, " columns cannot be quantized by blocks of 32.");
    const std::int64_t n_blocks = n_cols / kQuantBlock;
    high_.grow(static_cast<std::size_t>(n_tokens * n_cols));
    scale_.grow(static_cast<std::size_t>(n_tokens * n_blocks));
    sum_.grow(static_cast<std::size_t>(n_tokens * 2 * n_blocks));
    const bool two_planes = arithmetic == Arithmetic::q15;
    if (two_planes) low_.grow(static_cast<std::size_t>(n_tokens * n_cols));
    const int n_tasks = (n_tokens + kQuantizeTokens - 1) / kQuantizeTokens;
    pool.parallel_for(static_cast<std::size_t>(n_tasks), [&](std::size_t task, int) {
        const std::int64_t begin = static_cast<std::int64_t>(task) * kQuantizeTokens;
        const std::int64_t end = std::min<std::int64_t>(begin + kQuantizeTokens, n_tokens);
        const std::int64_t at = begin * n_cols, block = begin * n_blocks, n = (end - begin) * n_cols;
        // Rows are whole blocks, so the rows of a task are one long row.
        if (two_planes) {
            kernels.quantize_q15(x + at, n, high_.data() + at, low_.data() + at, scale_.data() + block,
                                 sum_.data() + 2 * block);
        } else {
            kernels.quantize_q8(x + at, n, high_.data() + at, scale_.data() + block, sum_.data() + 2 * block);
        }
    });
    view.high = high_.data();
    view.low = two_planes ? low_.data() : nullptr;
    view.scale = scale_.data();
    view.sum = sum_.data();
    return view;
}

Arithmetic usable_arithmetic(const Kernels& kernels, DType weights, std::int64_t n_cols, Arithmetic wanted) {
    const auto is_usable = [&](Arithmetic arithmetic) {
        const bool has_blocks = arithmetic == Arithmetic::q8 || arithmetic == Arithmetic::q15;
        return !(has_blocks && n_cols % kQuantBlock != 0) && kernels.matmul(weights, arithmetic) != nullptr;
    };
    if (wanted == Arithmetic::q8 && !is_usable(wanted)) wanted = Arithmetic::bf16;
    return is_usable(wanted) ? wanted : Arithmetic::f32;
}

}  // namespace neox
