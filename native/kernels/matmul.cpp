#include "kernels/matmul.h"

#include <algorithm>
#include <span>

#include "base/error.h"

namespace neox {
namespace {

// From here on a product in f32 is bound by arithmetic.
constexpr int kManyTokens = 8;
// With fewer slabs for each thread, threads would wait for the last one.
constexpr int kSlabsPerThread = 4;
// Tokens quantized by one task.
constexpr int kQuantizeTokens = 8;
// Columns of weights that are unpacked at once: they and the tokens that pass by stay in the second-level cache.
constexpr std::int64_t kUnpackedInt8 = 48 * kTileCols, kUnpackedInt16 = 6 * kTileCols;
// Tokens whose results get bias, activation and residual while they are in the first-level cache.
constexpr int kFinishTokens = 24;

// Where memory is the bound, whole slabs: a thread's slabs are one stream. Else pairs, the least that shares a tile.
std::int64_t panels_per_task(const ResidentMatrix& w, const Activations& x, int n_threads) {
    const bool is_stream = x.arithmetic == Arithmetic::q15 || x.arithmetic == Arithmetic::q8 ||
                           (x.arithmetic == Arithmetic::f32 && x.n_tokens < kManyTokens);
    const bool has_many = w.n_panels() >= std::int64_t{kSlabPanels} * kSlabsPerThread * n_threads;
    return is_stream && has_many ? kSlabPanels : kPairPanels;
}

std::int64_t blocks_of(const PromptKernels& prompt, std::int64_t n_cols) {
    return (n_cols + prompt.block_cols - 1) / prompt.block_cols;
}

std::int64_t unpacked_blocks(const PromptKernels& prompt, Arithmetic arithmetic) {
    return (arithmetic == Arithmetic::int16 ? kUnpackedInt16 : kUnpackedInt8) / prompt.block_cols;
}

void check_blocks(Arithmetic arithmetic, std::int64_t n_cols) {
    if (arithmetic != Arithmetic::int16 && n_cols % kQuantBlock != 0)
        fail(ErrorCode::internal, "Rows of ", n_cols, " columns cannot be quantized by blocks of 32.");
}

// Rows and tokens of a product.
struct Part {
    std::int64_t row, n_rows;
    int token, n_tokens;
};

// Bias, activation and residual of a part, which begins at y, while it is in cache. Bias and residual end with the
// last real row.
void finish(const Kernels& kernels, const Part& part, float* y, std::int64_t y_stride,
            const Epilogue& epilogue) {
    const float* bias = epilogue.bias ? epilogue.bias + part.row : nullptr;
    for (int token = part.token; token < part.token + part.n_tokens; ++token) {
        float* row = y + (token - part.token) * y_stride;
        const float* residual =
            epilogue.residual ? epilogue.residual + token * epilogue.residual_stride + part.row : nullptr;
        switch (epilogue.activation) {
            case Activation::none:
                if (bias || residual) kernels.bias_add(row, bias, residual, part.n_rows);
                continue;
            case Activation::gelu_erf: kernels.bias_gelu_erf(row, bias, part.n_rows); break;
            case Activation::gelu_tanh: kernels.bias_gelu_tanh(row, bias, part.n_rows); break;
        }
        if (residual) kernels.bias_add(row, nullptr, residual, part.n_rows);
    }
}

// q8: the weights of the next panels in pieces of kTileCols columns, one beside each of the last tiles of tokens: unpacking
// would wait for the memory while nothing is multiplied. A product fetches of a piece what it has time for: of short
// rows not all of it.
class NextWeights {
public:
    NextWeights(const ResidentMatrix& w, std::int64_t panel, int n_tiles) : w_(w), panel_(panel) {
        const std::int64_t n_pieces = (w.n_cols + kTileCols - 1) / kTileCols;
        column_ = -kTileCols * std::max<std::int64_t>(n_tiles - n_pieces, 0);
        if (n_tiles == 0 || panel >= w.n_panels()) column_ = w.n_cols;
    }

    std::span<const std::byte> take() {
        const std::int64_t column = column_;
        column_ += kTileCols;
        if (column < 0 || column >= w_.n_cols) return {};
        const TilePlace place = w_.place(panel_, column);
        return {w_.data + place.offset, static_cast<std::size_t>(place.width) * place.bytes};
    }

private:
    const ResidentMatrix& w_;
    std::int64_t panel_, column_ = 0;
};

// Rounds the rows of a part, kQuantBlock of them side by side, into the tiles of the next product.
void round_part(const RoundedResults& to, const Part& part, const float* y, std::int64_t n_blocks) {
    const int tile_tokens = to.kernels.tile_tokens;
    for (int token = 0; token < part.n_tokens; token += tile_tokens) {
        const std::int64_t tile = (part.token + token) / tile_tokens;
        to.kernels.quantize(y + token * kQuantBlock, kQuantBlock,
                            std::min(tile_tokens, part.n_tokens - token),
                            to.tiles + static_cast<std::size_t>(tile * n_blocks + part.row / kQuantBlock) *
                                           to.kernels.tile_block_bytes);
    }
}

// q8 and int16: the panels of one task with all tokens. Results are finished some tokens at a time.
void multiply_panels(const Kernels& kernels, const PromptKernels& prompt, const ResidentMatrix& w,
                     const Activations& x, std::byte* panels, std::int64_t panel, int n_panels, float* y,
                     std::int64_t y_stride, const Epilogue& epilogue) {
    const std::int64_t n_blocks = blocks_of(prompt, w.n_cols), row = panel * kPanelRows;
    const std::int64_t most_blocks = unpacked_blocks(prompt, x.arithmetic);
    const bool is_q8 = x.arithmetic == Arithmetic::q8;
    const std::int64_t n_rows = std::min(row + n_panels * kPanelRows, w.n_rows) - row;
    const int finish_tokens = std::max(kFinishTokens / prompt.tile_tokens, 1) * prompt.tile_tokens;
    alignas(64) float own[kFinishTokens * kQuantBlock];  // what is rounded
    for (std::int64_t block = 0; block < n_blocks; block += most_blocks) {
        const std::int64_t n = std::min(n_blocks - block, most_blocks);
        prompt.unpack({w.data, w.panel_bytes, w.n_panels(), w.n_cols, panel, n_panels, block, n}, panels);
        const bool is_last = block + n == n_blocks;
        NextWeights next(w, panel + n_panels,
                         is_last && is_q8 ? (x.n_tokens - 1) / prompt.tile_tokens + 1 : 0);
        for (int begin = 0; begin < x.n_tokens; begin += finish_tokens) {
            const Part part{row, n_rows, begin, std::min(finish_tokens, x.n_tokens - begin)};
            float* results = epilogue.rounded ? own : y + begin * y_stride + row;
            const std::int64_t stride = epilogue.rounded ? kQuantBlock : y_stride;
            for (int token = 0; token < part.n_tokens; token += prompt.tile_tokens) {
                const std::byte* tile =
                    x.tiles +
                    static_cast<std::size_t>((begin + token) / prompt.tile_tokens * n_blocks + block) *
                        prompt.tile_block_bytes;
                prompt.multiply({panels, tile, n, n_panels,
                                 std::min(prompt.tile_tokens, part.n_tokens - token), block == 0,
                                 results + token * stride, stride, next.take()});
            }
            if (is_last) finish(kernels, part, results, stride, epilogue);
            if (epilogue.rounded) round_part(*epilogue.rounded, part, own, w.n_rows / kQuantBlock);
        }
    }
}

}  // namespace

void matmul(ThreadPool& pool, const Kernels& kernels, const ResidentMatrix& w, const Activations& x, float* y,
            std::int64_t y_stride, const Epilogue& epilogue) {
    const PromptKernels prompt = kernels.prompt(w.dtype, x.arithmetic);
    const MatmulFn product = !prompt.multiply                       ? kernels.matmul(w.dtype, x.arithmetic)
                             : x.n_tokens == 1 && !epilogue.rounded ? prompt.multiply_single
                                                                    : nullptr;
    if (!product && !prompt.multiply)
        fail(ErrorCode::internal, "No ", kernels.name, " product for tensor type ", static_cast<int>(w.dtype),
             " and arithmetic ", static_cast<int>(x.arithmetic), ".");
    const std::int64_t n_panels = w.n_panels();
    if (x.n_cols != w.n_cols || (!epilogue.rounded && y_stride < n_panels * kPanelRows))
        fail(ErrorCode::internal, "Product of [", w.n_rows, ", ", w.n_cols, "] with ", x.n_cols,
             " columns into rows of ", y_stride, ".");
    if (x.n_tokens <= 0) return;
    const bool has_epilogue = epilogue.bias || epilogue.residual || epilogue.activation != Activation::none;
    const std::int64_t step = product ? panels_per_task(w, x, pool.size()) : prompt.tile_panels;
    pool.parallel_for(
        static_cast<std::size_t>((n_panels + step - 1) / step), [&](std::size_t task, int thread) {
            const std::int64_t begin = static_cast<std::int64_t>(task) * step,
                               end = std::min(begin + step, n_panels);
            if (!product) {
                multiply_panels(kernels, prompt, w, x,
                                x.panels + static_cast<std::size_t>(thread) * x.panels_bytes, begin,
                                static_cast<int>(end - begin), y, y_stride, epilogue);
                return;
            }
            product({w.data, w.panel_bytes, n_panels, begin, end, &x, y, y_stride});
            const std::int64_t row = begin * kPanelRows;
            if (has_epilogue)
                finish(kernels, {row, std::min(end * kPanelRows, w.n_rows) - row, 0, x.n_tokens}, y + row,
                       y_stride, epilogue);
        });
}

PromptKernels ActivationBuffer::reserve_tiles(const ThreadPool& pool, const Kernels& kernels, DType weights,
                                              Activations& view) {
    const PromptKernels prompt = kernels.prompt(weights, view.arithmetic);
    if (!prompt.quantize)
        fail(ErrorCode::internal, "Tensor type ", static_cast<int>(weights),
             " has no activations of arithmetic ", static_cast<int>(view.arithmetic), ".");
    check_blocks(view.arithmetic, view.n_cols);
    const std::int64_t n_blocks = blocks_of(prompt, view.n_cols);
    const int n_tiles = (view.n_tokens + prompt.tile_tokens - 1) / prompt.tile_tokens;
    tiles_.grow(static_cast<std::size_t>(n_tiles * n_blocks) * prompt.tile_block_bytes);
    view.tiles = tiles_.data();
    // Whole lines, and one more between threads.
    view.panels_bytes =
        static_cast<std::size_t>(std::min(n_blocks, unpacked_blocks(prompt, view.arithmetic))) *
        prompt.panel_block_bytes;
    view.panels_bytes = (view.panels_bytes + 63) / 64 * 64 + 64;
    panels_.grow(static_cast<std::size_t>(pool.size()) * view.panels_bytes);
    view.panels = panels_.data();
    return prompt;
}

void ActivationBuffer::fill_tiles(ThreadPool& pool, const Kernels& kernels, const PromptKernels& prompt,
                                  const float* x, const RowNorm* norm, const Activations& view) {
    const std::int64_t n_cols = view.n_cols;
    const std::size_t tile_bytes =
        static_cast<std::size_t>(blocks_of(prompt, n_cols)) * prompt.tile_block_bytes;
    if (norm) normalized_.grow(static_cast<std::size_t>(pool.size() * prompt.tile_tokens * n_cols));
    const int n_tiles = (view.n_tokens + prompt.tile_tokens - 1) / prompt.tile_tokens;
    pool.parallel_for(static_cast<std::size_t>(n_tiles), [&](std::size_t tile, int thread) {
        const int token = static_cast<int>(tile) * prompt.tile_tokens,
                  n = std::min(prompt.tile_tokens, view.n_tokens - token);
        const float* rows = x + token * n_cols;
        if (norm) {
            float* normalized = normalized_.data() + thread * prompt.tile_tokens * n_cols;
            for (int i = 0; i < n; ++i)
                kernels.layer_norm(rows + i * n_cols, norm->weight, norm->bias, norm->eps, n_cols,
                                   normalized + i * n_cols);
            rows = normalized;
        }
        prompt.quantize(rows, n_cols, n, tiles_.data() + tile * tile_bytes);
    });
}

Activations ActivationBuffer::prepare_normalized(ThreadPool& pool, const Kernels& kernels, DType weights,
                                                 const float* x, int n_tokens, std::int64_t n_cols,
                                                 const RowNorm& norm) {
    Activations view{.arithmetic = Arithmetic::q8, .n_tokens = n_tokens, .n_cols = n_cols};
    fill_tiles(pool, kernels, reserve_tiles(pool, kernels, weights, view), x, &norm, view);
    return view;
}

Activations ActivationBuffer::reserve(const ThreadPool& pool, const Kernels& kernels, DType weights,
                                      int n_tokens, std::int64_t n_cols, RoundedResults& rounded) {
    Activations view{.arithmetic = Arithmetic::q8, .n_tokens = n_tokens, .n_cols = n_cols};
    rounded.kernels = reserve_tiles(pool, kernels, weights, view);
    rounded.tiles = tiles_.data();
    return view;
}

Activations ActivationBuffer::prepare(ThreadPool& pool, const Kernels& kernels, DType weights,
                                      Arithmetic arithmetic, const float* x, int n_tokens,
                                      std::int64_t n_cols) {
    Activations view;
    view.arithmetic = arithmetic;
    view.n_tokens = n_tokens;
    view.n_cols = n_cols;
    if (arithmetic == Arithmetic::f32) {
        view.f32 = x;
        return view;
    }
    if (arithmetic != Arithmetic::q15) {
        fill_tiles(pool, kernels, reserve_tiles(pool, kernels, weights, view), x, nullptr, view);
        return view;
    }
    check_blocks(arithmetic, n_cols);
    const std::int64_t n_blocks = n_cols / kQuantBlock;
    high_.grow(static_cast<std::size_t>(n_tokens * n_cols));
    low_.grow(static_cast<std::size_t>(n_tokens * n_cols));
    scale_.grow(static_cast<std::size_t>(n_tokens * n_blocks));
    sum_.grow(static_cast<std::size_t>(n_tokens * 2 * n_blocks));
    const int n_tasks = (n_tokens + kQuantizeTokens - 1) / kQuantizeTokens;
    pool.parallel_for(static_cast<std::size_t>(n_tasks), [&](std::size_t task, int) {
        const std::int64_t begin = static_cast<std::int64_t>(task) * kQuantizeTokens;
        const std::int64_t end = std::min<std::int64_t>(begin + kQuantizeTokens, n_tokens);
        const std::int64_t at = begin * n_cols, block = begin * n_blocks, n = (end - begin) * n_cols;
        // Rows are whole blocks, so the rows of a task are one long row.
        kernels.quantize_q15(x + at, n, high_.data() + at, low_.data() + at, scale_.data() + block,
                             sum_.data() + 2 * block);
    });
    view.high = high_.data();
    view.low = low_.data();
    view.scale = scale_.data();
    view.sum = sum_.data();
    return view;
}

bool can_chain(const Kernels& kernels, const ResidentMatrix& w, const ResidentMatrix& next) {
    const PromptKernels from = kernels.prompt(w.dtype, Arithmetic::q8),
                        to = kernels.prompt(next.dtype, Arithmetic::q8);
    return from.multiply && to.multiply && from.tile_panels * kPanelRows == kQuantBlock &&
           from.tile_tokens == to.tile_tokens && from.tile_tokens <= kFinishTokens &&
           next.n_cols == w.n_rows && blocks_of(from, w.n_cols) <= unpacked_blocks(from, Arithmetic::q8);
}

Arithmetic usable_arithmetic(const Kernels& kernels, DType weights, std::int64_t n_cols, Arithmetic wanted) {
    const auto is_usable = [&](Arithmetic arithmetic) {
        const bool has_blocks = arithmetic == Arithmetic::q8 || arithmetic == Arithmetic::q15;
        if (has_blocks && n_cols % kQuantBlock != 0) return false;
        return kernels.matmul(weights, arithmetic) || kernels.prompt(weights, arithmetic).multiply;
    };
    if (wanted == Arithmetic::q8 && !is_usable(wanted)) wanted = Arithmetic::int16;
    return is_usable(wanted) ? wanted : Arithmetic::f32;
}

}  // namespace neox
