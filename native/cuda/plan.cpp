#include "cuda/plan.h"

#include <algorithm>

#include "base/checked.h"
#include "cuda/attention.h"
#include "cuda/matmul.h"
#include "cuda/matvec.h"
#include "cuda/rope.h"
#include "cuda/rows.h"
#include "kernels/kernels.h"

namespace neox::cuda {

namespace {

// As DeviceBuffer allocates.
constexpr std::size_t kAlignment = 256;

std::size_t aligned(std::size_t n_bytes) { return (n_bytes + kAlignment - 1) / kAlignment * kAlignment; }

struct MatrixShape {
    std::int64_t n_rows, n_cols;
};

}  // namespace

ProductPlan plan_products(const BackendOptions& options, int n_prompt, int n_step) {
    const bool is_exact = options.precision == Precision::exact;
    const Product of_prompts = is_exact ? Product::f32 : Product::tensor;
    if (n_step > kMatvecRows && !is_exact && !options.deterministic)
        return {{{0, n_prompt + n_step, of_prompts}, {n_prompt + n_step, 0, Product::columns}}};
    return {{{0, n_prompt, of_prompts}, {n_prompt, n_step, Product::columns}}};
}

std::int32_t blocks_stride(const BackendOptions& options) {
    return std::min((options.n_ctx + kKvBlock - 1) / kKvBlock, options.n_kv_blocks);
}

InputLayout input_layout(const BackendOptions& options, int n_rows, int n_sequences) {
    const auto n = static_cast<std::size_t>(n_rows);
    InputLayout layout{};
    layout.tokens = aligned(n * sizeof(DeviceRow));
    layout.slots = layout.tokens + aligned(n * sizeof(std::int32_t));
    layout.groups = layout.slots + aligned(n * sizeof(std::int32_t));
    layout.blocks = layout.groups + aligned(n * sizeof(RowGroup));
    layout.end =
        layout.blocks + aligned(static_cast<std::size_t>(n_sequences) *
                                static_cast<std::size_t>(blocks_stride(options)) * sizeof(std::int32_t));
    return layout;
}

ScratchSizes scratch_sizes(const Config& config, const BackendOptions& options) {
    const auto n = static_cast<std::size_t>(options.max_rows);
    const auto n_products =
        std::max(n, std::size_t{kHeadRows});  // rows of a product: of layers, and of the head
    const auto stride = [](std::int64_t n_cols) { return static_cast<std::size_t>(row_stride(n_cols)); };
    const std::int64_t n_embd = config.n_embd, n_ff = config.n_ff, n_vocab = config.n_vocab;
    ScratchSizes sizes{};
    sizes.x = sizes.mid = sizes.attn = n * stride(n_embd);
    sizes.qkv = n * stride(3 * n_embd);
    sizes.ffn = n * stride(n_ff);
    sizes.norm = n_products * stride(n_embd);
    sizes.picked = kHeadRows * stride(n_embd);
    sizes.logits = kHeadRows * stride(n_vocab);
    sizes.input = input_layout(options, options.max_rows, options.max_rows).end;
    if (options.precision == Precision::exact) return sizes;
    sizes.rounded = n_products * stride(std::max(n_embd, n_ff));
    sizes.row_scales = n_products;
    const auto make_room = [&](std::int64_t n_rows, std::int64_t n_cols, std::size_t n_tokens) {
        const auto tokens = static_cast<int>(n_tokens);
        sizes.partial = std::max<std::size_t>(sizes.partial,
                                              matmul_partial_bytes(n_rows, n_cols, tokens) / sizeof(float));
        sizes.tickets =
            std::max(sizes.tickets, static_cast<std::size_t>(matmul_tickets(n_rows, n_cols, tokens)));
    };
    make_room(3 * n_embd, n_embd, n);
    make_room(n_embd, n_embd, n);
    make_room(n_ff, n_embd, n);
    make_room(n_embd, n_ff, n);
    make_room(n_vocab, n_embd, kHeadRows);
    return sizes;
}

std::uint64_t ScratchSizes::bytes() const {
    std::uint64_t sum =
        aligned(rounded * sizeof(std::uint16_t)) + aligned(tickets * sizeof(std::int32_t)) + aligned(input);
    for (const std::size_t n : {x, mid, attn, qkv, ffn, norm, row_scales, partial, picked, logits})
        sum += aligned(n * sizeof(float));
    return sum;
}

std::uint64_t scratch_bytes(const Config& config, const BackendOptions& options) {
    return scratch_sizes(config, options).bytes() +
           DeviceRope::bytes(config, options.n_ctx, options.max_rows) +
           StepScratch::bytes(config, options.n_ctx, options.max_rows);
}

void check_options(const Config& config, const BackendOptions& options) {
    constexpr std::int32_t kMostRows = 65535;  // of the second dimension of a grid
    check_layers(config, options);
    if (options.max_rows < 1 || options.max_rows > kMostRows)
        fail(ErrorCode::unsupported, "A pass of ", options.max_rows, " rows; the GPU takes 1 to ", kMostRows,
             ".");
}

}  // namespace neox::cuda
