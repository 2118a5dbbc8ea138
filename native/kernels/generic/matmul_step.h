// Matrix products of quantized weights with the few rows of a step, whose activations are two signed bytes each. Included
// inside a target region; see README.md.
//
// The order for one output element: blocks of 32 columns one after the other, and within them the columns that share a
// scale (all 32, or 16 and 16). Their sum is an exact int32 that starts from -offset * (sum of the activations),
// because a code is value + offset; it is 128 * high + low. Then
//   total = fma(float(sum), weight scale * activation scale, total)
//   total = fma(weight minimum, activation scale * float(sum of the activations), total)    in types with a minimum.
// In the K types a weight's scale is d * integer and its minimum -dmin * integer, with d and dmin of the whole tile, so there
// the sums leave them out, in the same order and each from 0, and at the end of the tile
//   total = fma(sum over scales, d, total)
//   total = fma(-sum over minima, dmin, total).
#pragma once

namespace neox::NEOX_ISA {

// Most tokens that go through a slab together; a step has no more in practice.
inline constexpr int kStepBatch = 16;
inline constexpr int kTileBlocks = static_cast<int>(kTileCols / kQuantBlock);

// Memory delivers fastest in the order of its addresses, but compilers move loads to wherever they like. A set whose
// compilers do harm with it overloads this: calls then keep their order, what `value` is made of is done before its call,
// and what is made of `value` after it.
template <class T> NEOX_INLINE void in_source_order(T& /*value*/) {}

// What the columns of a tile need of one token.
struct StepStart {
    std::int32_t start[2 * kTileBlocks];  // where each scale's sum of the low plane starts
    float min_factor[2 * kTileBlocks];    // what its minimum is multiplied by
};

template <class Format>
NEOX_INLINE void prepare_start(const Activations& x, std::int64_t token, std::int64_t column, std::int64_t n,
                               StepStart& to) {
    const std::int64_t block = (token * x.n_cols + column) / 32;
    const std::int32_t* sums = x.sum + 2 * block;
    for (std::int64_t i = 0; i < Format::kSubs * n / 32; ++i) {
        const std::int32_t sum = Format::kSubs == 2 ? sums[i] : sums[2 * i] + sums[2 * i + 1];
        to.start[i] = -Format::Dot::kOffset * sum;
        if constexpr (Format::kHasMin)
            to.min_factor[i] = x.scale[block + i / Format::kSubs] * static_cast<float>(sum);
    }
}

// Lines of 64 bytes that the memory delivers, about, while so many tokens pass over a block: more would only queue.
constexpr int lines_ahead(int n_panels, std::int64_t n_tokens) {
    return static_cast<int>((3 * n_panels * n_tokens + 1) / 2);
}

// kPanels panels of a tile times kTokens tokens from `token` on; `y` is the first panel's of token 0. The totals start
// from 0 in the first tile of a row, else from y. Lines from `ahead` on are fetched on the way, none if it is null.
template <class Format, int kPanels, int kTokens>
void step_tile(const Tile& tile, int side, const Activations& x, std::int64_t token, const StepStart* starts,
               float* y, std::int64_t y_stride, const std::byte* ahead) {
    using Dot = typename Format::Dot;
    using Scales = typename Format::Scales;
    constexpr int kSubs = Format::kSubs, kVectors = Format::Codes::kVectors;
    constexpr int kLines = lines_ahead(kPanels, kTokens);
    const std::int8_t *lows = x.low + token * x.n_cols + tile.column,
                      *highs = x.high + token * x.n_cols + tile.column;
    const float* scales = x.scale + (token * x.n_cols + tile.column) / 32;
    y += token * y_stride;
    starts += token % kStepBatch;
    // K types: one head for the whole tile.
    constexpr bool kIsSuper = Format::kBlocks > 1;
    static_assert(!kIsSuper || Format::kBlocks == kTileBlocks);
    F32x16 total[kPanels][kTokens];
    [[maybe_unused]] F32x16 minima[kPanels][kTokens], d[kPanels], dmin[kPanels];
    NEOX_UNROLL
    for (int p = 0; p < kPanels; ++p) {
        // Read first, since it stands first.
        [[maybe_unused]] const std::byte* head = Format::at(tile.data, tile.width, side + p, 0).head;
        if constexpr (kIsSuper) {
            d[p] = load_f16(head);
            in_source_order(d[p]);
        }
        if constexpr (kIsSuper && Format::kHasMin) {
            dmin[p] = load_f16(head + 32);
            in_source_order(dmin[p]);
        }
        NEOX_UNROLL
        for (int t = 0; t < kTokens; ++t) {
            const bool is_fresh = kIsSuper || tile.column == 0;
            total[p][t] = is_fresh ? broadcast(0.0f) : load(y + t * y_stride + 16 * p);
            if constexpr (kIsSuper && Format::kHasMin) minima[p][t] = broadcast(0.0f);
        }
    }
    for (std::int64_t b = 0; b < tile.n_cols / 32; ++b) {
        const BlockParts parts = Format::at(tile.data, tile.width, side, b);
        if (ahead) {
            for (int i = 0; i < kLines; ++i, ahead += 64) prefetch(ahead);
        }
        const std::byte* codes = parts.codes;
        NEOX_UNROLL
        for (int s = 0; s < kSubs; ++s) {
            typename Dot::Sum sum[kPanels][kTokens], sum_high[kPanels][kTokens];
            NEOX_UNROLL
            for (int t = 0; t < kTokens; ++t) {
                NEOX_UNROLL
                for (int p = 0; p < kPanels; ++p) {
                    sum[p][t] = Dot::start(starts[t].start[kSubs * b + s]);
                    sum_high[p][t] = Dot::start(0);
                }
            }
            NEOX_UNROLL
            for (int i = 0; i < 8; ++i) {
                const int g = i % (8 / kVectors) * kVectors + i / (8 / kVectors);
                if (g / (8 / kSubs) != s) continue;
                in_source_order(codes);
                in_source_order(sum[0][0]);
                in_source_order(sum_high[kPanels - 1][0]);
                typename Dot::Weights w[kPanels];
                NEOX_UNROLL
                for (int p = 0; p < kPanels; ++p)
                    w[p] = Dot::prepare(Format::Codes::codes(codes + 64 * p, parts.step, g));
                NEOX_UNROLL
                for (int t = 0; t < kTokens; ++t) {
                    const std::int64_t at = t * x.n_cols + 32 * b + 4 * g;
                    const X4 low = broadcast_x4(lows + at), high = broadcast_x4(highs + at);
                    NEOX_UNROLL
                    for (int p = 0; p < kPanels; ++p) {
                        sum[p][t] = Dot::add(sum[p][t], w[p], low);
                        sum_high[p][t] = Dot::add(sum_high[p][t], w[p], high);
                    }
                }
            }
            NEOX_UNROLL
            for (int p = 0; p < kPanels; ++p) {
                [[maybe_unused]] const std::byte* head = parts.head + p * Format::kHeadBytes;
                const std::byte* own = parts.scales + p * Scales::kBlockBytes;
                F32x16 weight_scale;
                if constexpr (kIsSuper)
                    weight_scale = to_f32(Scales::scale_integer(own, s));
                else
                    weight_scale = Scales::scale(head, own, s);
                NEOX_UNROLL
                for (int t = 0; t < kTokens; ++t) {
                    const I32x16 result = add(Dot::finish(sum[p][t], starts[t].start[kSubs * b + s]),
                                              shift_left<7>(Dot::finish(sum_high[p][t], 0)));
                    const F32x16 scale = mul(weight_scale, broadcast(scales[t * (x.n_cols / 32) + b]));
                    total[p][t] = fma(to_f32(result), scale, total[p][t]);
                }
                if constexpr (Format::kHasMin) {
                    NEOX_UNROLL
                    for (int t = 0; t < kTokens; ++t) {
                        const F32x16 factor = broadcast(starts[t].min_factor[kSubs * b + s]);
                        if constexpr (kIsSuper)
                            minima[p][t] = fma(to_f32(Scales::min_integer(own, s)), factor, minima[p][t]);
                        else
                            total[p][t] = fma(Scales::min(head, own, s), factor, total[p][t]);
                    }
                }
            }
        }
    }
    NEOX_UNROLL
    for (int p = 0; p < kPanels; ++p) {
        NEOX_UNROLL
        for (int t = 0; t < kTokens; ++t) {
            float* to = y + t * y_stride + 16 * p;
            F32x16 result = total[p][t];
            if constexpr (kIsSuper) {
                result = fma(result, d[p], tile.column == 0 ? broadcast(0.0f) : load(to));
                if constexpr (Format::kHasMin) result = fnma(minima[p][t], dmin[p], result);
            }
            store(to, result);
        }
    }
}

template <class Format, int kPanels, int kTokens>
NEOX_INLINE void step_tile_of(std::int64_t n_tokens, const Tile& tile, int side, const Activations& x,
                              std::int64_t token, const StepStart* starts, float* y, std::int64_t y_stride,
                              const std::byte* ahead) {
    if (n_tokens == kTokens) {
        step_tile<Format, kPanels, kTokens>(tile, side, x, token, starts, y, y_stride, ahead);
    } else if constexpr (kTokens > 1) {
        step_tile_of<Format, kPanels, kTokens - 1>(n_tokens, tile, side, x, token, starts, y, y_stride,
                                                   ahead);
    }
}

// kPanels panels of a tile, tokens [begin, end): as few passes as possible, as even as possible. The first reads the
// tile from memory, the others from the first-level cache; the stream would stand still meanwhile, so these fetch a
// part of the next tile.
template <class Format, int kPanels, int kTokens>
void step_panels(const Tile& tile, int side, const Activations& x, std::int64_t begin, std::int64_t end,
                 const StepStart* starts, float* y, std::int64_t y_stride) {
    const std::byte* next = tile.data + static_cast<std::size_t>(tile.width + side) * tile.panel_bytes;
    const std::int64_t first = begin, next_lines = static_cast<std::int64_t>(kPanels * tile.panel_bytes / 64);
    std::int64_t line = 0;  // of the next tile, up to which it has been asked for
    for (std::int64_t passes = (end - begin + kTokens - 1) / kTokens; passes > 0; --passes) {
        const std::int64_t n = (end - begin + passes - 1) / passes;
        const bool looks_ahead = begin > first && line < next_lines;
        step_tile_of<Format, kPanels, kTokens>(n, tile, side, x, begin, starts, y, y_stride,
                                               looks_ahead ? next + 64 * line : nullptr);
        if (looks_ahead) line += tile.n_cols / 32 * lines_ahead(kPanels, n);
        begin += n;
    }
}

template <class Format> void matmul_step(const MatmulArgs& args) {
    const Activations& x = *args.x;
    StepStart starts[kStepBatch];
    for (std::int64_t token = 0; token < x.n_tokens; token += kStepBatch) {
        const std::int64_t end = x.n_tokens - token < kStepBatch ? x.n_tokens : token + kStepBatch;
        const auto begin_columns = [&](std::int64_t column, std::int64_t n) {
            for (std::int64_t t = token; t < end; ++t)
                prepare_start<Format>(x, t, column, n, starts[t - token]);
        };
        for_each_tile(args, begin_columns, [&](const Tile& tile) {
            int p = 0;
            for (; p + kStepPanels <= tile.n_panels; p += kStepPanels)
                step_panels<Format, kStepPanels, kStepTokens>(tile, tile.side + p, x, token, end, starts,
                                                              args.y + 16 * (tile.panel + p), args.y_stride);
            if constexpr (kStepPanels > 1)
                for (; p < tile.n_panels; ++p)
                    step_panels<Format, 1, 1>(tile, tile.side + p, x, token, end, starts,
                                              args.y + 16 * (tile.panel + p), args.y_stride);
        });
    }
}

MatmulFn find_matmul_step(DType weights) {
    return for_format(weights, [](auto format) -> MatmulFn { return matmul_step<decltype(format)>; });
}

}  // namespace neox::NEOX_ISA
