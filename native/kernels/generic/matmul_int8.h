// Matrix products of quantized weights with quantized activations. Included inside a target region; see
// README.md.
//
// The order for one output element: blocks of 32 columns one after the other. The sum of a block is an exact
// int32 that starts from -offset * (sum of the activations), because weights are stored as unsigned bytes
// value + offset; with two planes it is 128 * high + low. Then total = fma(float(sum), weight scale *
// activation scale, total).
#pragma once

namespace neox::NEOX_ISA {

// Blocks that are unpacked at once: 25 KiB a panel, and half a row of 2816 columns.
inline constexpr std::int64_t kInt8Chunk = 44;
// Columns from which one token's activations crowd the first-level cache.
inline constexpr std::int64_t kLongRow = 8192;

// One block of 32 columns of a panel: kVectors loads of 64 bytes, each holding kParts groups of 4 columns;
// part h of vector v is column group v + kVectors * h.
struct BlockQ8 {
    using Dot = Bytes;
    static constexpr int kBytes = 544, kVectors = 8, kParts = 1;
    static NEOX_INLINE F32x16 scale(const std::byte* block) { return load_f16(block); }
    static NEOX_INLINE U8x64 vector(const std::byte* block, int v) { return load_u8(block + 32 + 64 * v); }
    static NEOX_INLINE U8x64 part(U8x64 vector, int) { return vector; }
};
struct BlockQ4 {
    using Dot = Nibbles;
    static constexpr int kBytes = 288, kVectors = 4, kParts = 2;
    static NEOX_INLINE F32x16 scale(const std::byte* block) { return load_f16(block); }
    static NEOX_INLINE U8x64 vector(const std::byte* block, int v) { return load_u8(block + 32 + 64 * v); }
    static NEOX_INLINE U8x64 part(U8x64 vector, int h) {
        return h == 0 ? low_nibbles(vector) : high_nibbles(vector);
    }
};
// 16 f32 scales, then one byte per weight.
template <class DotOf> struct BlockUnpacked {
    using Dot = DotOf;
    static constexpr int kBytes = 576, kVectors = 8, kParts = 1;
    static NEOX_INLINE F32x16 scale(const std::byte* block) {
        return load(reinterpret_cast<const float*>(block));
    }
    static NEOX_INLINE U8x64 vector(const std::byte* block, int v) { return load_u8(block + 64 + 64 * v); }
    static NEOX_INLINE U8x64 part(U8x64 vector, int) { return vector; }
};

// Up to kInt8Chunk blocks of the activations of a few tokens.
struct Int8Tokens {
    const std::int8_t* high;
    const std::int8_t* low;
    std::int64_t stride;
    const float* scale;
    const std::int32_t* sum;
    std::int64_t block_stride;
};

// kPanels panels times kTokens tokens over n_blocks; `y` belongs to the first panel and token. The totals
// start from 0 when is_first, else from y.
template <class Block, bool kTwoPlanes, int kPanels, int kTokens>
void int8_tile(const std::byte* panel, std::size_t panel_bytes, std::int64_t n_blocks, const Int8Tokens& x,
               float* y, std::int64_t y_stride, bool is_first) {
    using Dot = typename Block::Dot;
    std::int32_t start[kTokens][kInt8Chunk];
    for (int t = 0; t < kTokens; ++t)
        for (std::int64_t b = 0; b < n_blocks; ++b)
            start[t][b] = -Dot::kOffset * x.sum[t * x.block_stride + b];
    F32x16 total[kPanels][kTokens];
    NEOX_UNROLL
    for (int p = 0; p < kPanels; ++p) {
        NEOX_UNROLL
        for (int t = 0; t < kTokens; ++t)
            total[p][t] = is_first ? broadcast(0.0f) : load(y + t * y_stride + 16 * p);
    }
    for (std::int64_t b = 0; b < n_blocks; ++b, panel += Block::kBytes) {
        typename Dot::Sum sum[kPanels][kTokens], sum_high[kPanels][kTokens];
        NEOX_UNROLL
        for (int t = 0; t < kTokens; ++t) {
            NEOX_UNROLL
            for (int p = 0; p < kPanels; ++p) {
                sum[p][t] = Dot::start(start[t][b]);
                if constexpr (kTwoPlanes) sum_high[p][t] = Dot::start(0);
            }
        }
        NEOX_UNROLL
        for (int v = 0; v < Block::kVectors; ++v) {
            U8x64 loaded[kPanels];
            NEOX_UNROLL
            for (int p = 0; p < kPanels; ++p) loaded[p] = Block::vector(panel + p * panel_bytes, v);
            NEOX_UNROLL
            for (int h = 0; h < Block::kParts; ++h) {
                typename Dot::Weights w[kPanels];
                NEOX_UNROLL
                for (int p = 0; p < kPanels; ++p) w[p] = Dot::prepare(Block::part(loaded[p], h));
                const std::int64_t column = 32 * b + 4 * (v + Block::kVectors * h);
                NEOX_UNROLL
                for (int t = 0; t < kTokens; ++t) {
                    const std::int64_t at = t * x.stride + column;
                    if constexpr (kTwoPlanes) {
                        const X4 low = broadcast_x4(x.low + at), high = broadcast_x4(x.high + at);
                        NEOX_UNROLL
                        for (int p = 0; p < kPanels; ++p) {
                            sum[p][t] = Dot::add(sum[p][t], w[p], low);
                            sum_high[p][t] = Dot::add(sum_high[p][t], w[p], high);
                        }
                    } else {
                        const X4 value = broadcast_x4(x.high + at);
                        NEOX_UNROLL
                        for (int p = 0; p < kPanels; ++p) sum[p][t] = Dot::add(sum[p][t], w[p], value);
                    }
                }
            }
        }
        NEOX_UNROLL
        for (int p = 0; p < kPanels; ++p) {
            const F32x16 weight_scale = Block::scale(panel + p * panel_bytes);
            NEOX_UNROLL
            for (int t = 0; t < kTokens; ++t) {
                I32x16 result = Dot::finish(sum[p][t], start[t][b]);
                if constexpr (kTwoPlanes) result = add(result, shift_left<7>(Dot::finish(sum_high[p][t], 0)));
                const F32x16 scale = mul(weight_scale, broadcast(x.scale[t * x.block_stride + b]));
                total[p][t] = fma(to_f32(result), scale, total[p][t]);
            }
        }
    }
    NEOX_UNROLL
    for (int p = 0; p < kPanels; ++p) {
        NEOX_UNROLL
        for (int t = 0; t < kTokens; ++t) store(y + t * y_stride + 16 * p, total[p][t]);
    }
}

template <class Block, bool kTwoPlanes, int kPanels, int kTokens = kInt8Tokens>
NEOX_INLINE void int8_tile_of(std::int64_t n_tokens, const std::byte* panel, std::size_t panel_bytes,
                              std::int64_t n_blocks, const Int8Tokens& x, float* y, std::int64_t y_stride,
                              bool is_first) {
    if (n_tokens == kTokens) {
        int8_tile<Block, kTwoPlanes, kPanels, kTokens>(panel, panel_bytes, n_blocks, x, y, y_stride,
                                                       is_first);
    } else if constexpr (kTokens > 1) {
        int8_tile_of<Block, kTwoPlanes, kPanels, kTokens - 1>(n_tokens, panel, panel_bytes, n_blocks, x, y,
                                                              y_stride, is_first);
    }
}

// All tokens for the blocks from `block` on: as few tiles as possible, as even as possible.
template <class Block, bool kTwoPlanes, int kPanels>
void int8_tiles(const std::byte* panel, std::size_t panel_bytes, std::int64_t block, std::int64_t n_blocks,
                const Activations& x, float* y, std::int64_t y_stride) {
    const std::int64_t block_stride = x.n_cols / 32;
    std::int64_t token = 0;
    for (std::int64_t n_tiles = (x.n_tokens + kInt8Tokens - 1) / kInt8Tokens; n_tiles > 0; --n_tiles) {
        const std::int64_t n = (x.n_tokens - token + n_tiles - 1) / n_tiles;
        const std::int64_t at = token * x.n_cols + 32 * block, scale_at = token * block_stride + block;
        const Int8Tokens tokens{x.high + at,      kTwoPlanes ? x.low + at : nullptr,
                                x.n_cols,         x.scale + scale_at,
                                x.sum + scale_at, block_stride};
        int8_tile_of<Block, kTwoPlanes, kPanels>(n, panel, panel_bytes, n_blocks, tokens,
                                                 y + token * y_stride, y_stride, block == 0);
        token += n;
    }
}

template <class Block> void unpack_int8(const std::byte* from, std::int64_t n_blocks, std::byte* to) {
    for (std::int64_t b = 0; b < n_blocks; ++b, from += Block::kBytes, to += BlockUnpacked<Bytes>::kBytes) {
        store(reinterpret_cast<float*>(to), Block::scale(from));
        for (int v = 0; v < Block::kVectors; ++v) {
            const U8x64 loaded = Block::vector(from, v);
            for (int h = 0; h < Block::kParts; ++h)
                store(to + 64 + 64 * (v + Block::kVectors * h), Block::part(loaded, h));
        }
    }
}

template <class Block, int kPanels> void int8_unpacked_panels(const MatmulArgs& args, std::int64_t panel) {
    using Unpacked = BlockUnpacked<typename Block::Dot>;
    constexpr std::size_t kChunkBytes = kInt8Chunk * Unpacked::kBytes;
    alignas(64) std::byte chunk[kPanels * kChunkBytes];
    const std::int64_t n_blocks = args.x->n_cols / 32;
    for (std::int64_t block = 0; block < n_blocks; block += kInt8Chunk) {
        const std::int64_t n = n_blocks - block < kInt8Chunk ? n_blocks - block : kInt8Chunk;
        for (int p = 0; p < kPanels; ++p) {
            const std::byte* from = args.weights + static_cast<std::size_t>(panel + p) * args.panel_bytes;
            unpack_int8<Block>(from + block * Block::kBytes, n,
                               chunk + static_cast<std::size_t>(p) * kChunkBytes);
        }
        int8_tiles<Unpacked, false, kPanels>(chunk, kChunkBytes, block, n, *args.x, args.y + 16 * panel,
                                             args.y_stride);
    }
}

// kPanels panels, their weights split in registers.
template <class Block, bool kTwoPlanes, int kPanels>
void int8_panels(const MatmulArgs& args, std::int64_t panel) {
    const std::byte* weights = args.weights + static_cast<std::size_t>(panel) * args.panel_bytes;
    const std::int64_t n_blocks = args.x->n_cols / 32;
    for (std::int64_t block = 0; block < n_blocks; block += kInt8Chunk) {
        const std::int64_t n = n_blocks - block < kInt8Chunk ? n_blocks - block : kInt8Chunk;
        int8_tiles<Block, kTwoPlanes, kPanels>(weights + block * Block::kBytes, args.panel_bytes, block, n,
                                               *args.x, args.y + 16 * panel, args.y_stride);
    }
}

// Weights are split in registers where up to two tiles cover all tokens and for two planes, else unpacked
// once. A step of one token reads panels one by one, a single stream, except for long rows: their activations
// do not stay in the first-level cache beside the stream, and two panels at a time read them half as often.
template <class Block, bool kTwoPlanes> void matmul_int8(const MatmulArgs& args) {
    std::int64_t panel = args.panel_begin;
    if (kTwoPlanes || args.x->n_tokens <= 2 * kInt8Tokens) {
        if (args.x->n_tokens == 1 && args.x->n_cols >= kLongRow)
            for (; panel + 2 <= args.panel_end; panel += 2) int8_panels<Block, kTwoPlanes, 2>(args, panel);
        for (; panel < args.panel_end; ++panel) int8_panels<Block, kTwoPlanes, 1>(args, panel);
        return;
    }
    for (; panel + kTilePanels <= args.panel_end; panel += kTilePanels)
        int8_unpacked_panels<Block, kTilePanels>(args, panel);
    for (; panel < args.panel_end; ++panel) int8_unpacked_panels<Block, 1>(args, panel);
}

MatmulFn find_matmul_int8(DType weights, Arithmetic activations) {
    const bool two_planes = activations == Arithmetic::q15;
    switch (weights) {
        case DType::Q8_0: return two_planes ? matmul_int8<BlockQ8, true> : matmul_int8<BlockQ8, false>;
        case DType::Q4_0: return two_planes ? matmul_int8<BlockQ4, true> : matmul_int8<BlockQ4, false>;
        default: return nullptr;
    }
}

}  // namespace neox::NEOX_ISA
