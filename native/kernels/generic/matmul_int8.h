// Matrix products of quantized weights with many rows, the rows of a prompt, whose activations are one signed byte each.
// Included inside a target region; see README.md.
//
// Panels are unpacked into the cache once, to a byte for every code and scales in f32, and then meet all tokens, a tile
// of kTileTokens at a time. The order for one output element: blocks of 32 columns one after the other, and within them
// the columns that share a scale (all 32, or 16 and 16). Their sum is an exact int32 that starts from
// -offset * (sum of the activations), because a code is value + offset. Then
//   total = fma(float(sum) * activation scale, weight scale, total)
//   total = fma(weight minimum, activation scale * float(sum of the activations), total)    in types with a minimum.
// The activations' scales are exact (quantize_block.h), beside the K types coarse (coarse_scale.h).
#pragma once

#include "kernels/generic/coarse_scale.h"

namespace neox::NEOX_ISA {

// What a tile needs to know of a format: how codes are multiplied, the number of scales of 32 columns, whether there
// are minima, and whether coarse scales come as two powers of two.
template <class DotOf, int kSubsOf, bool kHasMinOf, bool kIsSplitOf> struct TileKind {
    using Dot = DotOf;
    static constexpr int kSubs = kSubsOf;
    static constexpr bool kHasMin = kHasMinOf, kIsSplit = kIsSplitOf;
};
template <class Format> inline constexpr bool kIsCoarse = Format::kBlocks == 8;
template <class Format>
using TileKindOf =
    TileKind<typename Format::Dot::Kind, Format::kSubs, Format::kHasMin, kSplitScales && kIsCoarse<Format>>;

// 32 columns of a tile of tokens.
template <class Kind> struct TokenBlock {
    static constexpr int kMins = Kind::kHasMin ? Kind::kSubs : 0;
    static constexpr int kScale = Kind::kSubs, kTaken = kScale, kChange = kScale + 1;
    static constexpr int kMin = kScale + (Kind::kIsSplit ? 2 : 1), kFactors = kMin + kMins;
    std::int8_t codes[8][kTileTokens][4];
    // The starts of the sums (int32), the scale, and scale * sum of the integers (f32). A split scale is what is taken off
    // (f32) and the change (int32) of CoarseScale, and the starts have its base in them.
    std::int32_t factors[kFactors][kTileTokens];

    NEOX_INLINE F32x16 broadcast_factor(int which, int token) const {
        return broadcast(f32_of_bits(factors[which][token]));
    }
};

// 32 columns of kTilePanels panels: the scales, then the minima; the codes of columns 4 g to 4 g + 3 together.
template <class Kind> struct PanelBlock {
    float scales[Kind::kSubs * (Kind::kHasMin ? 2 : 1)][kTilePanels][16];
    std::byte codes[8][kTilePanels][64];
};

template <class Format>
NEOX_INLINE void unpack_block(const BlockParts& from, int p, PanelBlock<TileKindOf<Format>>& to) {
    using Scales = typename Format::Scales;
    constexpr int kVectors = Format::Codes::kVectors, kSubs = Format::kSubs;
    NEOX_UNROLL
    for (int s = 0; s < kSubs; ++s) {
        store(to.scales[s][p], Scales::scale(from.head, from.scales, s));
        if constexpr (Format::kHasMin) store(to.scales[kSubs + s][p], Scales::min(from.head, from.scales, s));
    }
    NEOX_UNROLL
    for (int i = 0; i < 8; ++i) {
        const int g = i % (8 / kVectors) * kVectors + i / (8 / kVectors);
        store(to.codes[g][p], Format::codes(from, g));
    }
}

template <class Format> void unpack_panels(const PanelSlice& from, std::byte* to) {
    constexpr std::int64_t kBlocks = kTileCols / 32;
    auto* block = reinterpret_cast<PanelBlock<TileKindOf<Format>>*>(to);
    for (std::int64_t begin = 0; begin < from.n_blocks; begin += kBlocks, block += kBlocks) {
        const std::int64_t n = from.n_blocks - begin < kBlocks ? from.n_blocks - begin : kBlocks;
        for (int p = 0; p < kTilePanels; ++p) {
            // A panel too few: the last one twice.
            const TilePlace place = place_tile(from.matrix_panels, from.n_cols, from.panel_bytes,
                                               from.panel + (p < from.n_panels ? p : from.n_panels - 1),
                                               32 * (from.first_block + begin));
            for (std::int64_t b = 0; b < n; ++b)
                unpack_block<Format>(Format::at(from.weights + place.offset, place.width, place.side, b), p,
                                     block[b]);
        }
    }
}

template <class Format>
void quantize_tile(const float* x, std::int64_t n_cols, int n_tokens, std::byte* tile) {
    using Kind = TileKindOf<Format>;
    using Block = TokenBlock<Kind>;
    constexpr int kSubs = Format::kSubs, kOffset = Format::Dot::kOffset;
    static_assert(!kIsCoarse<Format> || ((32 / kSubs) << Format::kBits) * 127 < kCoarseSums);
    if (n_tokens < kTileTokens) std::memset(tile, 0, static_cast<std::size_t>(n_cols / 32) * sizeof(Block));
    Block* block = reinterpret_cast<Block*>(tile);
    for (std::int64_t col = 0; col < n_cols; col += 32, ++block) {
        for (int t = 0; t < n_tokens; ++t) {
            const float* values = x + t * n_cols + col;
            CoarseScale coarse{};
            QuantizedBlock from;
            if constexpr (kIsCoarse<Format>)
                from = quantize_coarse_block(values, coarse);
            else
                from = quantize_block<127>(values);
            std::int8_t codes[32];
            store_i8(codes, from.low);
            store_i8(codes + 16, from.high);
            for (int g = 0; g < 8; ++g) std::memcpy(block->codes[g][t], codes + 4 * g, 4);
            if constexpr (Kind::kIsSplit) {
                block->factors[Block::kTaken][t] = bits_of(coarse.taken);
                block->factors[Block::kChange][t] = coarse.change;
            } else {
                block->factors[Block::kScale][t] = bits_of(from.scale);
            }
            for (int s = 0; s < kSubs; ++s) {
                const std::int32_t sum = kSubs == 2 ? from.sum[s] : from.sum[0] + from.sum[1];
                block->factors[s][t] = (Kind::kIsSplit ? coarse.base : 0) - kOffset * sum;
                if constexpr (Format::kHasMin)
                    block->factors[Block::kMin + s][t] = bits_of(from.scale * static_cast<float>(sum));
            }
        }
    }
}

// The columns that share a scale, after their dots: what they add to the total of 16 rows and token t. `min` counts where
// there are minima.
template <class Kind>
NEOX_INLINE F32x16 add_scaled(F32x16 total, typename Kind::Dot::Sum sum, F32x16 scale,
                              [[maybe_unused]] F32x16 min, const TokenBlock<Kind>& x, int s, int t) {
    using Block = TokenBlock<Kind>;
    const I32x16 exact = Kind::Dot::finish(sum, x.factors[s][t]);
    F32x16 scaled;
    if constexpr (Kind::kIsSplit) {
        const F32x16 first = sub(f32_of_bits(exact), x.broadcast_factor(Block::kTaken, t));
        scaled = add(first, f32_of_bits(add(exact, broadcast(x.factors[Block::kChange][t]))));
    } else {
        scaled = mul(to_f32(exact), x.broadcast_factor(Block::kScale, t));
    }
    total = fma(scaled, scale, total);
    if constexpr (Kind::kHasMin) total = fma(min, x.broadcast_factor(Block::kMin + s, t), total);
    return total;
}
template <class Kind>
NEOX_INLINE F32x16 add_sum(F32x16 total, typename Kind::Dot::Sum sum, const PanelBlock<Kind>& w,
                           const TokenBlock<Kind>& x, int s, int p, int t) {
    const F32x16 scale = load(w.scales[s][p]);
    if constexpr (Kind::kHasMin)
        return add_scaled<Kind>(total, sum, scale, load(w.scales[Kind::kSubs + s][p]), x, s, t);
    else
        return add_scaled<Kind>(total, sum, scale, scale, x, s, t);
}

// A block that adds -0, which changes no total.
template <class Kind> constexpr PanelBlock<Kind> make_idle_panels() {
    PanelBlock<Kind> block{};
    for (auto& panels : block.scales)
        for (auto& rows : panels)
            for (float& scale : rows) scale = -0.0f;
    return block;
}
template <class Kind> inline constexpr PanelBlock<Kind> kIdlePanels = make_idle_panels<Kind>();
template <class Kind> inline constexpr TokenBlock<Kind> kIdleTokens{};

// How far ahead tokens are fetched: all of them do not stay in the second-level cache from one task to the next.
inline constexpr int kBlocksAhead = 32;
// Lines of weights that are fetched beside a block.
inline constexpr int kLinesFetched = 2;

// Where kOverlap is set, the sums of one block become floats while the dots of the next are under way, since the two
// want different units of the processor; that takes registers for both.
template <class Kind> void multiply_tile(const TileArgs& args) {
    using Dot = typename Kind::Dot;
    using Sum = typename Dot::Sum;
    constexpr int kSubs = Kind::kSubs, kPairs = kTilePanels * kTileTokens, kGroups = 8 / kSubs;
    const auto* w = reinterpret_cast<const PanelBlock<Kind>*>(args.panels);
    const auto* x = reinterpret_cast<const TokenBlock<Kind>*>(args.tile);
    const PanelBlock<Kind>* last_w = &kIdlePanels<Kind>;
    const TokenBlock<Kind>* last_x = &kIdleTokens<Kind>;
    F32x16 total[kPairs];
    Sum last[kPairs];
    NEOX_UNROLL
    for (int i = 0; i < kPairs; ++i) {
        const int p = i % kTilePanels, t = i / kTilePanels;
        const bool is_real = !args.is_first && p < args.n_panels && t < args.n_tokens;
        total[i] = is_real ? load(args.y + t * args.y_stride + 16 * p) : broadcast(0.0f);
        if constexpr (kOverlap) last[i] = Dot::start(0);
    }
    const std::byte *fetched = args.fetched.data(), *const fetched_end = fetched + args.fetched.size();
    for (std::int64_t b = 0; b < args.n_blocks; ++b, ++w, ++x) {
        for (std::size_t i = 0; i < sizeof(*x); i += 64)
            prefetch(reinterpret_cast<const std::byte*>(x + kBlocksAhead) + i);
        for (int i = 0; i < kLinesFetched && fetched < fetched_end; ++i, fetched += 64) prefetch(fetched);
        NEOX_UNROLL
        for (int s = 0; s < kSubs; ++s) {
            const int last_s = (s + kSubs - 1) % kSubs;
            Sum sum[kPairs];
            NEOX_UNROLL
            for (int i = 0; i < kPairs; ++i) sum[i] = Dot::start(x->factors[s][i / kTilePanels]);
            NEOX_UNROLL
            for (int g = 0; g < kGroups; ++g) {
                typename Dot::Weights codes[kTilePanels];
                NEOX_UNROLL
                for (int p = 0; p < kTilePanels; ++p)
                    codes[p] = Dot::prepare(load_u8(w->codes[kGroups * s + g][p]));
                NEOX_UNROLL
                for (int t = 0; t < kTileTokens; ++t) {
                    const X4 four = broadcast_x4(x->codes[kGroups * s + g][t]);
                    NEOX_UNROLL
                    for (int p = 0; p < kTilePanels; ++p)
                        sum[t * kTilePanels + p] = Dot::add(sum[t * kTilePanels + p], codes[p], four);
                }
                if constexpr (kOverlap) {
                    // Outside the loop: with checks of its arithmetic in the condition, GCC cannot unroll it, and says so.
                    const int end = (g + 1) * kPairs / kGroups;
                    NEOX_UNROLL
                    for (int i = g * kPairs / kGroups; i < end; ++i)
                        total[i] = add_sum<Kind>(total[i], last[i], *last_w, *last_x, last_s, i % kTilePanels,
                                                 i / kTilePanels);
                }
            }
            NEOX_UNROLL
            for (int i = 0; i < kPairs; ++i) {
                if constexpr (kOverlap)
                    last[i] = sum[i];
                else
                    total[i] = add_sum<Kind>(total[i], sum[i], *w, *x, s, i % kTilePanels, i / kTilePanels);
            }
            last_w = w;
            last_x = x;
        }
    }
    NEOX_UNROLL
    for (int i = 0; i < kPairs; ++i) {
        const int p = i % kTilePanels, t = i / kTilePanels;
        if constexpr (kOverlap)
            total[i] = add_sum<Kind>(total[i], last[i], *last_w, *last_x, kSubs - 1, p, t);
        if (p < args.n_panels && t < args.n_tokens) store(args.y + t * args.y_stride + 16 * p, total[i]);
    }
}

// The same for a single token, which waits for memory: straight from the resident layout, in the order of its bytes.
template <class Format, int kPanels>
NEOX_INLINE void multiply_single_tile(const Tile& tile, const TokenBlock<TileKindOf<Format>>* x, float* y) {
    using Kind = TileKindOf<Format>;
    using Dot = typename Kind::Dot;
    using Scales = typename Format::Scales;
    constexpr int kSubs = Format::kSubs, kVectors = Format::Codes::kVectors;
    F32x16 total[kPanels];
    NEOX_UNROLL
    for (int p = 0; p < kPanels; ++p) total[p] = tile.column == 0 ? broadcast(0.0f) : load(y + 16 * p);
    for (std::int64_t b = 0; b < tile.n_cols / 32; ++b, ++x) {
        const BlockParts parts = Format::at(tile.data, tile.width, tile.side, b);
        NEOX_UNROLL
        for (int s = 0; s < kSubs; ++s) {
            typename Dot::Sum sum[kPanels];
            NEOX_UNROLL
            for (int p = 0; p < kPanels; ++p) sum[p] = Dot::start(x->factors[s][0]);
            NEOX_UNROLL
            for (int i = 0; i < 8; ++i) {
                const int g = i % (8 / kVectors) * kVectors + i / (8 / kVectors);
                if (g / (8 / kSubs) != s) continue;
                const X4 four = broadcast_x4(x->codes[g][0]);
                NEOX_UNROLL
                for (int p = 0; p < kPanels; ++p)
                    sum[p] = Dot::add(sum[p],
                                      Dot::prepare(Format::Codes::codes(parts.codes + 64 * p, parts.step, g)),
                                      four);
            }
            NEOX_UNROLL
            for (int p = 0; p < kPanels; ++p) {
                const std::byte *head = parts.head + p * Format::kHeadBytes,
                                *own = parts.scales + p * Scales::kBlockBytes;
                const F32x16 scale = Scales::scale(head, own, s);
                if constexpr (Format::kHasMin)
                    total[p] = add_scaled<Kind>(total[p], sum[p], scale, Scales::min(head, own, s), *x, s, 0);
                else
                    total[p] = add_scaled<Kind>(total[p], sum[p], scale, scale, *x, s, 0);
            }
        }
    }
    NEOX_UNROLL
    for (int p = 0; p < kPanels; ++p) store(y + 16 * p, total[p]);
}

template <class Format> void multiply_single(const MatmulArgs& args) {
    const auto* x = reinterpret_cast<const TokenBlock<TileKindOf<Format>>*>(args.x->tiles);
    const auto begin = [](std::int64_t, std::int64_t) {};
    for_each_tile(args, begin, [&](Tile tile) {
        for (; tile.n_panels >= kTilePanels; tile.n_panels -= kTilePanels, tile.side += kTilePanels) {
            multiply_single_tile<Format, kTilePanels>(tile, x + tile.column / 32, args.y + 16 * tile.panel);
            tile.panel += kTilePanels;
        }
        if (kTilePanels > 1 && tile.n_panels > 0)
            multiply_single_tile<Format, 1>(tile, x + tile.column / 32, args.y + 16 * tile.panel);
    });
}

template <class Format>
inline constexpr PromptKernels kPromptKernels = {
    .block_cols = 32,
    .tile_tokens = kTileTokens,
    .tile_panels = kTilePanels,
    .tile_block_bytes = sizeof(TokenBlock<TileKindOf<Format>>),
    .panel_block_bytes = sizeof(PanelBlock<TileKindOf<Format>>),
    .quantize = quantize_tile<Format>,
    .unpack = unpack_panels<Format>,
    .multiply = multiply_tile<TileKindOf<Format>>,
    .multiply_single = multiply_single<Format>,
};

PromptKernels find_prompt_int8(DType weights) {
    const PromptKernels* found = for_format(
        weights, [](auto format) -> const PromptKernels* { return &kPromptKernels<decltype(format)>; });
    return found ? *found : PromptKernels{};
}

}  // namespace neox::NEOX_ISA
