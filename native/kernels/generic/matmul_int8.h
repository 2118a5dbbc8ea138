// Matrix products of quantized weights with activations of one signed byte each. Included inside a target region; see
// README.md.
//
// The order for one output element: blocks of 32 columns one after the other, and within them the columns that share a
// scale (all 32, or 16 and 16). Their sum is an exact int32 that starts from -offset * (sum of the activations),
// because a code is value + offset. Then
//   total = fma(float(sum), weight scale * activation scale, total)
//   total = fma(weight minimum, activation scale * float(sum of the activations), total)    in types with a minimum.
#pragma once

namespace neox::NEOX_ISA {

// Blocks that are unpacked at once, a multiple of the 8 that share a head in the K types: half a row of 2816 columns,
// about 28 KiB a panel.
inline constexpr std::int64_t kInt8Chunk = 48;

// Up to kInt8Chunk blocks of the activations of a few tokens.
struct Int8Tokens {
    const std::int8_t* values;
    std::int64_t stride;
    const float* scale;
    const std::int32_t* sum;  // two of each block
    std::int64_t block_stride;
};

// kPanels panels times kTokens tokens over n_blocks; `y` belongs to the first panel and token. The totals
// start from 0 when is_first, else from y.
template <class Format, int kPanels, int kTokens>
void int8_tile(const std::byte* panel, std::size_t panel_bytes, std::int64_t n_blocks, const Int8Tokens& x,
               float* y, std::int64_t y_stride, bool is_first) {
    using Dot = typename Format::Dot;
    using Scales = typename Format::Scales;
    constexpr int kSubs = Format::kSubs, kVectors = Format::Codes::kVectors;
    std::int32_t start[kTokens][kSubs * kInt8Chunk];
    float min_factor[kTokens][Format::kHasMin ? kSubs * kInt8Chunk : 1];
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
        const BlockParts parts = Format::at(panel, 1, 0, b);
        NEOX_UNROLL
        for (int s = 0; s < kSubs; ++s) {
            typename Dot::Sum sum[kPanels][kTokens];
            NEOX_UNROLL
            for (int t = 0; t < kTokens; ++t) {
                NEOX_UNROLL
                for (int p = 0; p < kPanels; ++p) sum[p][t] = Dot::start(start[t][kSubs * b + s]);
            }
            NEOX_UNROLL
            for (int i = 0; i < 8; ++i) {
                const int g = i % (8 / kVectors) * kVectors + i / (8 / kVectors);
                if (g / (8 / kSubs) != s) continue;
                typename Dot::Weights w[kPanels];
                NEOX_UNROLL
                for (int p = 0; p < kPanels; ++p)
                    w[p] = Dot::prepare(Format::Codes::codes(parts.codes + p * panel_bytes, parts.step, g));
                NEOX_UNROLL
                for (int t = 0; t < kTokens; ++t) {
                    const X4 value = broadcast_x4(x.values + t * x.stride + 32 * b + 4 * g);
                    NEOX_UNROLL
                    for (int p = 0; p < kPanels; ++p) sum[p][t] = Dot::add(sum[p][t], w[p], value);
                }
            }
            NEOX_UNROLL
            for (int p = 0; p < kPanels; ++p) {
                const F32x16 weight_scale = Scales::scale(parts.head + p * panel_bytes, parts.scales, s);
                NEOX_UNROLL
                for (int t = 0; t < kTokens; ++t) {
                    const I32x16 result = Dot::finish(sum[p][t], start[t][kSubs * b + s]);
                    const F32x16 scale = mul(weight_scale, broadcast(x.scale[t * x.block_stride + b]));
                    total[p][t] = fma(to_f32(result), scale, total[p][t]);
                }
                if constexpr (Format::kHasMin) {
                    const F32x16 min = Scales::min(parts.head + p * panel_bytes, parts.scales, s);
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
NEOX_INLINE void int8_tile_of(std::int64_t n_tokens, const std::byte* panel, std::size_t panel_bytes,
                              std::int64_t n_blocks, const Int8Tokens& x, float* y, std::int64_t y_stride,
                              bool is_first) {
    if (n_tokens == kTokens) {
        int8_tile<Format, kPanels, kTokens>(panel, panel_bytes, n_blocks, x, y, y_stride, is_first);
    } else if constexpr (kTokens > 1) {
        int8_tile_of<Format, kPanels, kTokens - 1>(n_tokens, panel, panel_bytes, n_blocks, x, y, y_stride,
                                                   is_first);
    }
}

// All tokens for the blocks from `block` on: as few tiles as possible, as even as possible, of up to kTokens.
template <class Format, int kPanels, int kTokens>
void int8_tiles(const std::byte* panel, std::size_t panel_bytes, std::int64_t block, std::int64_t n_blocks,
                const Activations& x, float* y, std::int64_t y_stride) {
    const std::int64_t block_stride = x.n_cols / 32;
    std::int64_t token = 0;
    for (std::int64_t n_tiles = (x.n_tokens + kTokens - 1) / kTokens; n_tiles > 0; --n_tiles) {
        const std::int64_t n = (x.n_tokens - token + n_tiles - 1) / n_tiles;
        const std::int64_t at = token * x.n_cols + 32 * block, scale_at = token * block_stride + block;
        const Int8Tokens tokens{x.high + at, x.n_cols, x.scale + scale_at, x.sum + 2 * scale_at,
                                block_stride};
        int8_tile_of<Format, kPanels, kTokens>(n, panel, panel_bytes, n_blocks, tokens, y + token * y_stride,
                                               y_stride, block == 0);
        token += n;
    }
}

// Scales and minima in f32, a byte for every code: what the tiles read.
template <class From>
using Unpacked = Format<ScaleF32<From::kSubs, From::kHasMin>, Codes8, From::kBits, From::kOffset>;

template <class From> void unpack_int8(const Tile& tile, std::byte* to) {
    using Scales = typename From::Scales;
    constexpr int kVectors = From::Codes::kVectors, kSubs = From::kSubs;
    for (std::int64_t b = 0; b < tile.n_cols / 32; ++b, to += Unpacked<From>::kBytes) {
        const BlockParts parts = From::at(tile.data, tile.width, tile.side, b);
        float* scales = reinterpret_cast<float*>(to);
        NEOX_UNROLL
        for (int s = 0; s < kSubs; ++s) {
            store(scales + 16 * s, Scales::scale(parts.head, parts.scales, s));
            if constexpr (From::kHasMin)
                store(scales + 16 * (kSubs + s), Scales::min(parts.head, parts.scales, s));
        }
        NEOX_UNROLL
        for (int i = 0; i < 8; ++i) {
            const int g = i % (8 / kVectors) * kVectors + i / (8 / kVectors);
            store(to + Unpacked<From>::kHeadBytes + 64 * g, From::codes(parts, g));
        }
    }
}

// The weights of kPanels panels are unpacked once for all tokens.
template <class From, int kPanels> void int8_panels(const MatmulArgs& args, std::int64_t panel) {
    constexpr std::size_t kChunkBytes = kInt8Chunk * Unpacked<From>::kBytes;
    alignas(64) std::byte chunk[kPanels * kChunkBytes];
    const std::int64_t n_cols = args.x->n_cols, n_blocks = n_cols / 32;
    for (std::int64_t block = 0; block < n_blocks; block += kInt8Chunk) {
        const std::int64_t n = n_blocks - block < kInt8Chunk ? n_blocks - block : kInt8Chunk;
        for (std::int64_t b = 0; b < n; b += kTileCols / 32)
            for (int p = 0; p < kPanels; ++p) {
                unpack_int8<From>(tile_of(args, panel + p, 32 * (block + b)),
                                  chunk + static_cast<std::size_t>(p) * kChunkBytes +
                                      static_cast<std::size_t>(b) * Unpacked<From>::kBytes);
            }
        int8_tiles<Unpacked<From>, kPanels, kInt8Tokens>(chunk, kChunkBytes, block, n, *args.x,
                                                         args.y + 16 * panel, args.y_stride);
    }
}

template <class Format> void matmul_int8(const MatmulArgs& args) {
    std::int64_t panel = args.panel_begin;
    for (; panel + kTilePanels <= args.panel_end; panel += kTilePanels)
        int8_panels<Format, kTilePanels>(args, panel);
    for (; panel < args.panel_end; ++panel) int8_panels<Format, 1>(args, panel);
}

MatmulFn find_matmul_int8(DType weights) {
    return for_format(weights, [](auto format) -> MatmulFn { return matmul_int8<decltype(format)>; });
}

}  // namespace neox::NEOX_ISA
