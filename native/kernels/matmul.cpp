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
constexpr std::int64_t kUnpackedBytes = 48 * kTileCols, kUnpackedInt16 = 6 * kTileCols;
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
    return (arithmetic == Arithmetic::int16 ? kUnpackedInt16 : kUnpackedBytes) / prompt.block_cols;
}

// Rows and tokens of a product.
struct Part {
    std::int64_t row, n_rows;
    int token, n_tokens;
};

// Bias, activation and residual of a part, while it is in cache. Bias and residual end with the last real row.
void finish(const Kernels& kernels, const Part& part, float* y, std::int64_t y_stride,
            const Epilogue& epilogue) {
    const float* bias = epilogue.bias ? epilogue.bias + part.row : nullptr;
    for (int token = part.token; token < part.token + part.n_tokens; ++token) {
        float* row = y + token * y_stride + part.row;
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

// The weights of the next panels in pieces of kTileCols columns, one beside each of the last tiles of tokens: unpacking
// would wait for the memory while nothing is multiplied.
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

// q8 and int16: the panels of one task with all tokens.
void multiply_panels(const Kernels& kernels, const PromptKernels& prompt, const ResidentMatrix& w,
                     const Activations& x, std::byte* panels, std::int64_t panel, int n_panels, float* y,
                     std::int64_t y_stride, const Epilogue& epilogue) {
    const std::int64_t n_blocks = blocks_of(prompt, w.n_cols), row = panel * kPanelRows;
    const std::int64_t most_blocks = unpacked_blocks(prompt, x.arithmetic);
    const std::int64_t n_rows = std::min(row + n_panels * kPanelRows, w.n_rows) - row;
    const int finish_tokens = std::max(kFinishTokens / prompt.tile_tokens, 1) * prompt.tile_tokens;
    for (std::int64_t block = 0; block < n_blocks; block += most_blocks) {
        const std::int64_t n = std::min(n_blocks - block, most_blocks);
        prompt.unpack({w.data, w.panel_bytes, w.n_panels(), w.n_cols, panel, n_panels, block, n}, panels);
        const bool is_last = block + n == n_blocks;
        NextWeights next(w, panel + n_panels, is_last ? (x.n_tokens - 1) / prompt.tile_tokens + 1 : 0);
        for (int token = 0; token < x.n_tokens; token += prompt.tile_tokens) {
            const std::byte* tile =
                x.tiles + static_cast<std::size_t>(token / prompt.tile_tokens * n_blocks + block) *
                              prompt.tile_block_bytes;
            const int end = std::min(token + prompt.tile_tokens, x.n_tokens);
            prompt.multiply({panels, tile, n, n_panels, end - token, block == 0, y + token * y_stride + row,
                             y_stride, next.take()});
            if (is_last && (end % finish_tokens == 0 || end == x.n_tokens)) {
                const int begin = (end - 1) / finish_tokens * finish_tokens;
                finish(kernels, {row, n_rows, begin, end - begin}, y, y_stride, epilogue);
            }
        }
    }
}

}  // namespace

void matmul(ThreadPool& pool, const Kernels& kernels, const ResidentMatrix& w, const Activations& x, float* y,
            std::int64_t y_stride, const Epilogue& epilogue) {
    const PromptKernels prompt = kernels.prompt(w.dtype, x.arithmetic);
    const MatmulFn product = !prompt.multiply  ? kernels.matmul(w.dtype, x.arithmetic)
                             : x.n_tokens == 1 ? prompt.multiply_single
                                               : nullptr;
    if (!product && !prompt.multiply)
        fail(ErrorCode::internal, "No ", kernels.name, " product for tensor type ", static_cast<int>(w.dtype),
             " and arithmetic ", static_cast<int>(x.arithmetic), ".");
    const std::int64_t n_panels = w.n_panels();
    if (x.n_cols != w.n_cols || y_stride < n_panels * kPanelRows)
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
                finish(kernels, {row, std::min(end * kPanelRows, w.n_rows) - row, 0, x.n_tokens}, y, y_stride,
                       epilogue);
        });
}

void ActivationBuffer::prepare_tiles(ThreadPool& pool, const PromptKernels& prompt, const float* x,
                                     Activations& view) {
    const std::int64_t n_blocks = blocks_of(prompt, view.n_cols);
    const int n_tiles = (view.n_tokens + prompt.tile_tokens - 1) / prompt.tile_tokens;
    const std::size_t tile_bytes = static_cast<std::size_t>(n_blocks) * prompt.tile_block_bytes;
    tiles_.grow(static_cast<std::size_t>(n_tiles) * tile_bytes);
    view.tiles = tiles_.data();
    // Whole lines, and one more between threads.
    view.panels_bytes =
        static_cast<std::size_t>(std::min(n_blocks, unpacked_blocks(prompt, view.arithmetic))) *
        prompt.panel_block_bytes;
    view.panels_bytes = (view.panels_bytes + 63) / 64 * 64 + 64;
    panels_.grow(static_cast<std::size_t>(pool.size()) * view.panels_bytes);
    view.panels = panels_.data();
    pool.parallel_for(static_cast<std::size_t>(n_tiles), [&](std::size_t tile, int) {
        const int token = static_cast<int>(tile) * prompt.tile_tokens;
        prompt.quantize(x + token * view.n_cols, view.n_cols,
                        std::min(prompt.tile_tokens, view.n_tokens - token),
                        tiles_.data() + tile * tile_bytes);
    });
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
    if (arithmetic != Arithmetic::int16 && n_cols % kQuantBlock != 0)
        fail(ErrorCode::internal, "Rows of ", n_cols, " columns cannot be quantized by blocks of 32.");
    if (arithmetic != Arithmetic::q15) {
        const PromptKernels prompt = kernels.prompt(weights, arithmetic);
        if (!prompt.quantize)
            fail(ErrorCode::internal, "Tensor type ", static_cast<int>(weights),
                 " has no activations of arithmetic ", static_cast<int>(arithmetic), ".");
        prepare_tiles(pool, prompt, x, view);
        return view;
    }
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
