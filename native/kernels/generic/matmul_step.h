// Matrix products of quantized weights with the few rows of a step, whose activations are two signed bytes each. Included
// inside a target region; see README.md.
//
// The order for one output element: blocks of 32 columns one after the other, and within them the columns that share a
// scale (all 32, or 16 and 16). Their sum is an exact int32 that starts from -offset * (sum of the activations),
// because a code is value + offset; it is 128 * high + low. Then
//   total = fma(float(sum), weight scale * activation scale, total)
//   total = fma(weight minimum, activation scale * float(sum of the activations), total)    in types with a minimum.
#pragma once

namespace neox::NEOX_ISA {

// Blocks that are unpacked at once, a multiple of the 8 that share a head in the K types: half a row of 2816 columns,
// about 28 KiB a panel.
inline constexpr std::int64_t kStepChunk = 48;
// Columns from which one token's activations crowd the first-level cache.
inline constexpr std::int64_t kLongRow = 8192;

// Up to kStepChunk blocks of the activations of a few tokens.
struct StepTokens {
    const std::int8_t* high;
    const std::int8_t* low;
    std::int64_t stride;
    const float* scale;
    const std::int32_t* sum;  // two of each block
    std::int64_t block_stride;
};

// kPanels panels times kTokens tokens over n_blocks; `y` belongs to the first panel and token. The totals
// start from 0 when is_first, else from y.
template <class Format, int kPanels, int kTokens>
void step_tile(const std::byte* panel, std::size_t panel_bytes, std::int64_t n_blocks, const StepTokens& x,
               float* y, std::int64_t y_stride, bool is_first) {
    using Dot = typename Format::Dot;
    using Scales = typename Format::Scales;
    constexpr int kSubs = Format::kSubs, kVectors = Format::Codes::kVectors;
    std::int32_t start[kTokens][kSubs * kStepChunk];
    float min_factor[kTokens][Format::kHasMin ? kSubs * kStepChunk : 1];
    for (int t = 0; t < kTokens; ++t) {
        const std::int32_t* sums = x.sum + t * 2 * x.block_stride;
        const float* scales = x.scale + t * x.block_stride;
        for (std::int64_t i = 0; i < kSubs * n_blocks; ++i) {
            const std::int32_t sum = kSubs == 2 ? sums[i] : sums[2 * i] + sums[2 * i + 1];
            start[t][i] = -Dot::kOffset * sum;
            if constexpr (Format::kHasMin) min_factor[t][i] = scales[i / kSubs] * static_cast<float>(sum);
        }
    }
    F32x16 total[kPanels][kTokens];
    NEOX_UNROLL
    for (int p = 0; p < kPanels; ++p) {
        NEOX_UNROLL
        for (int t = 0; t < kTokens; ++t)
            total[p][t] = is_first ? broadcast(0.0f) : load(y + t * y_stride + 16 * p);
    }
    for (std::int64_t b = 0; b < n_blocks; ++b) {
        const std::byte* head = panel + b / Format::kBlocks * Format::kBytes;
        const std::byte* own = head + Format::kHeadBytes + b % Format::kBlocks * Format::kBlockBytes;
        NEOX_UNROLL
        for (int s = 0; s < kSubs; ++s) {
            typename Dot::Sum sum[kPanels][kTokens], sum_high[kPanels][kTokens];
            NEOX_UNROLL
            for (int t = 0; t < kTokens; ++t) {
                NEOX_UNROLL
                for (int p = 0; p < kPanels; ++p) {
                    sum[p][t] = Dot::start(start[t][kSubs * b + s]);
                    sum_high[p][t] = Dot::start(0);
                }
            }
            NEOX_UNROLL
            for (int i = 0; i < 8; ++i) {
                const int g = i % (8 / kVectors) * kVectors + i / (8 / kVectors);
                if (g / (8 / kSubs) != s) continue;
                typename Dot::Weights w[kPanels];
                NEOX_UNROLL
                for (int p = 0; p < kPanels; ++p)
                    w[p] = Dot::prepare(Format::codes(own + p * panel_bytes, g));
                NEOX_UNROLL
                for (int t = 0; t < kTokens; ++t) {
                    const std::int64_t at = t * x.stride + 32 * b + 4 * g;
                    const X4 low = broadcast_x4(x.low + at), high = broadcast_x4(x.high + at);
                    NEOX_UNROLL
                    for (int p = 0; p < kPanels; ++p) {
                        sum[p][t] = Dot::add(sum[p][t], w[p], low);
                        sum_high[p][t] = Dot::add(sum_high[p][t], w[p], high);
                    }
                }
            }
            NEOX_UNROLL
            for (int p = 0; p < kPanels; ++p) {
                const F32x16 weight_scale = Scales::scale(head + p * panel_bytes, own + p * panel_bytes, s);
                NEOX_UNROLL
                for (int t = 0; t < kTokens; ++t) {
                    const I32x16 result = add(Dot::finish(sum[p][t], start[t][kSubs * b + s]),
                                              shift_left<7>(Dot::finish(sum_high[p][t], 0)));
                    const F32x16 scale = mul(weight_scale, broadcast(x.scale[t * x.block_stride + b]));
                    total[p][t] = fma(to_f32(result), scale, total[p][t]);
                }
                if constexpr (Format::kHasMin) {
                    const F32x16 min = Scales::min(head + p * panel_bytes, own + p * panel_bytes, s);
                    NEOX_UNROLL
                    for (int t = 0; t < kTokens; ++t)
                        total[p][t] = fma(min, broadcast(min_factor[t][kSubs * b + s]), total[p][t]);
                }
            }
        }
    }
    NEOX_UNROLL
    for (int p = 0; p < kPanels; ++p) {
        NEOX_UNROLL
        for (int t = 0; t < kTokens; ++t) store(y + t * y_stride + 16 * p, total[p][t]);
    }
}

template <class Format, int kPanels, int kTokens>
NEOX_INLINE void step_tile_of(std::int64_t n_tokens, const std::byte* panel, std::size_t panel_bytes,
                              std::int64_t n_blocks, const StepTokens& x, float* y, std::int64_t y_stride,
                              bool is_first) {
    if (n_tokens == kTokens) {
        step_tile<Format, kPanels, kTokens>(panel, panel_bytes, n_blocks, x, y, y_stride, is_first);
    } else if constexpr (kTokens > 1) {
        step_tile_of<Format, kPanels, kTokens - 1>(n_tokens, panel, panel_bytes, n_blocks, x, y, y_stride,
                                                   is_first);
    }
}

// All tokens for the blocks from `block` on: as few tiles as possible, as even as possible, of up to kTokens.
template <class Format, int kPanels, int kTokens>
void step_tiles(const std::byte* panel, std::size_t panel_bytes, std::int64_t block, std::int64_t n_blocks,
                const Activations& x, float* y, std::int64_t y_stride) {
    const std::int64_t block_stride = x.n_cols / 32;
    std::int64_t token = 0;
    for (std::int64_t n_tiles = (x.n_tokens + kTokens - 1) / kTokens; n_tiles > 0; --n_tiles) {
        const std::int64_t n = (x.n_tokens - token + n_tiles - 1) / n_tiles;
        const std::int64_t at = token * x.n_cols + 32 * block, scale_at = token * block_stride + block;
        const StepTokens tokens{x.high + at,        x.low + at,           x.n_cols,
                                x.scale + scale_at, x.sum + 2 * scale_at, block_stride};
        step_tile_of<Format, kPanels, kTokens>(n, panel, panel_bytes, n_blocks, tokens, y + token * y_stride,
                                               y_stride, block == 0);
        token += n;
    }
}

// kPanels panels, their weights split in registers.
template <class Format, int kPanels, int kTokens>
void step_panels(const MatmulArgs& args, std::int64_t panel) {
    const std::byte* weights = args.weights + static_cast<std::size_t>(panel) * args.panel_bytes;
    const std::int64_t n_blocks = args.x->n_cols / 32;
    for (std::int64_t block = 0; block < n_blocks; block += kStepChunk) {
        const std::int64_t n = n_blocks - block < kStepChunk ? n_blocks - block : kStepChunk;
        step_tiles<Format, kPanels, kTokens>(weights + block / Format::kBlocks * Format::kBytes,
                                             args.panel_bytes, block, n, *args.x, args.y + 16 * panel,
                                             args.y_stride);
    }
}

// A step of one token reads panels one by one, a single stream, except for long rows: their activations do not stay in
// the first-level cache beside the stream, and two panels at a time read them half as often. A step of several takes
// kStepPanels at a time where there are registers for them.
template <class Format> void matmul_step(const MatmulArgs& args) {
    std::int64_t panel = args.panel_begin;
    if (args.x->n_tokens == 1 && args.x->n_cols >= kLongRow)
        for (; panel + 2 <= args.panel_end; panel += 2) step_panels<Format, 2, 1>(args, panel);
    if constexpr (kStepPanels > 1) {
        if (args.x->n_tokens > 1)
            for (; panel + kStepPanels <= args.panel_end; panel += kStepPanels)
                step_panels<Format, kStepPanels, kStepTokens>(args, panel);
    }
    for (; panel < args.panel_end; ++panel) step_panels<Format, 1, kInt8Tokens>(args, panel);
}

MatmulFn find_matmul_step(DType weights) {
    return for_format(weights, [](auto format) -> MatmulFn { return matmul_step<decltype(format)>; });
}

}  // namespace neox::NEOX_ISA
