// Products with the tiles of the KV cache, as attention wants them. Included inside a target region; see README.md.
//
// Elements are converted to f32 in registers. A block of q8_0 is summed over its codes alone, and its scale enters once:
// into the sum of its products for keys, into the position's weight for values.
//
// Of an output element the operations are always the same, in the same order, whatever kRows and kVectors say: scores add up
// dimension after dimension (q8_0: block after block), outputs position after position.
#pragma once

#include "kernels/generic/ops.h"

namespace neox::NEOX_ISA {

template <KvType kType> struct KvLanes;
template <> struct KvLanes<KvType::f32> {
    using Element = float;
    static NEOX_INLINE F32x16 read(const float* p) { return load(p); }
};
template <> struct KvLanes<KvType::f16> {
    using Element = std::uint16_t;
    static NEOX_INLINE F32x16 read(const std::uint16_t* p) { return load_f16(p); }
};
template <> struct KvLanes<KvType::q8_0> {
    using Element = std::int8_t;
    static NEOX_INLINE F32x16 read(const std::int8_t* p) { return to_f32(load_i8(p)); }
};

template <KvType kType>
NEOX_INLINE const typename KvLanes<kType>::Element* kv_elements(const std::byte* tile) {
    return reinterpret_cast<const typename KvLanes<kType>::Element*>(tile);
}
// The scales of the block that holds dimension d, one for each position.
NEOX_INLINE const std::uint16_t* kv_scales(const std::byte* tile, int head_dim, int d) {
    return reinterpret_cast<const std::uint16_t*>(tile + std::int64_t{kKvBlock} * head_dim) +
           d / kQuantBlock * kKvBlock;
}

template <int kRows, int kVectors> NEOX_INLINE void set_zero(F32x16 (&sum)[kRows][kVectors]) {
    NEOX_UNROLL
    for (int r = 0; r < kRows; ++r) NEOX_UNROLL
    for (int g = 0; g < kVectors; ++g) sum[r][g] = broadcast(0.0f);
}

// sum[r] += products of n_dims dimensions of q + r * q_stride with 16 * kVectors keys.
template <KvType kType, int kRows, int kVectors>
NEOX_INLINE void add_products(const typename KvLanes<kType>::Element* k, int n_dims, const float* q,
                              std::int64_t q_stride, F32x16 (&sum)[kRows][kVectors]) {
    for (int d = 0; d < n_dims; ++d, k += kKvBlock, ++q) {
        F32x16 key[kVectors];
        NEOX_UNROLL
        for (int g = 0; g < kVectors; ++g) key[g] = KvLanes<kType>::read(k + 16 * g);
        NEOX_UNROLL
        for (int r = 0; r < kRows; ++r) {
            const F32x16 x = broadcast(q[r * q_stride]);
            NEOX_UNROLL
            for (int g = 0; g < kVectors; ++g) sum[r][g] = fma(key[g], x, sum[r][g]);
        }
    }
}

// scores[r][j] = scale * (product of row r of q with the tile's key j), all 64 of them.
template <KvType kType, int kRows, int kVectors>
NEOX_INLINE void find_scores(const std::byte* tile, int head_dim, const float* q, std::int64_t q_stride,
                             float scale, float* scores) {
    for (int first = 0; first < kKvBlock; first += 16 * kVectors) {
        const auto* k = kv_elements<kType>(tile) + first;
        F32x16 sum[kRows][kVectors];
        set_zero(sum);
        if constexpr (kType == KvType::q8_0) {
            for (int d = 0; d < head_dim; d += kQuantBlock) {
                F32x16 part[kRows][kVectors];
                set_zero(part);
                add_products<kType>(k + std::int64_t{d} * kKvBlock,
                                    head_dim - d < kQuantBlock ? head_dim - d : kQuantBlock, q + d, q_stride,
                                    part);
                const std::uint16_t* scales = kv_scales(tile, head_dim, d) + first;
                NEOX_UNROLL
                for (int g = 0; g < kVectors; ++g) {
                    const F32x16 factor = load_f16(scales + 16 * g);
                    NEOX_UNROLL
                    for (int r = 0; r < kRows; ++r) sum[r][g] = fma(part[r][g], factor, sum[r][g]);
                }
            }
        } else {
            add_products<kType>(k, head_dim, q, q_stride, sum);
        }
        NEOX_UNROLL
        for (int r = 0; r < kRows; ++r) NEOX_UNROLL
        for (int g = 0; g < kVectors; ++g)
            store(scores + r * kKvBlock + first + 16 * g, mul(sum[r][g], broadcast(scale)));
    }
}

// Which positions of a tile of values, and the weights of kRows rows, 64 apart.
struct ValueRange {
    const std::byte* tile;
    int head_dim;
    int begin, end;
    const float* weights;
};

// out[r] = out[r] * factor[r] + sum over the positions of weight * value, for 16 * kVectors dimensions from d on.
template <KvType kType, int kRows, int kVectors>
NEOX_INLINE void add_strip(const ValueRange& range, int d, const float* factor, float* out,
                           std::int64_t out_stride) {
    constexpr bool kHasScales = kType == KvType::q8_0;
    constexpr int kBlocks =
        kHasScales ? (kVectors + 1) / 2 : 1;  // a strip begins with a block, or lies inside
    float scaled[kHasScales ? kRows : 1][kBlocks][kKvBlock];
    if constexpr (kHasScales) {
        NEOX_UNROLL
        for (int b = 0; b < kBlocks; ++b) {
            const std::uint16_t* scales = kv_scales(range.tile, range.head_dim, d + kQuantBlock * b);
            for (int j = range.begin / 16 * 16; j < range.end; j += 16) {
                const F32x16 scale = load_f16(scales + j);
                NEOX_UNROLL
                for (int r = 0; r < kRows; ++r)
                    store(scaled[r][b] + j, mul(load(range.weights + r * kKvBlock + j), scale));
            }
        }
    }
    const float* weights = kHasScales ? scaled[0][0] : range.weights;
    constexpr int kStride = kBlocks * kKvBlock;
    F32x16 sum[kRows][kVectors];
    NEOX_UNROLL
    for (int r = 0; r < kRows; ++r) NEOX_UNROLL
    for (int g = 0; g < kVectors; ++g)
        sum[r][g] = mul(load(out + r * out_stride + 16 * g), broadcast(factor[r]));
    const auto* v = kv_elements<kType>(range.tile) + std::int64_t{range.begin} * range.head_dim + d;
    for (int j = range.begin; j < range.end; ++j, v += range.head_dim) {
        F32x16 value[kVectors];
        NEOX_UNROLL
        for (int g = 0; g < kVectors; ++g) value[g] = KvLanes<kType>::read(v + 16 * g);
        NEOX_UNROLL
        for (int r = 0; r < kRows; ++r) NEOX_UNROLL
        for (int g = 0; g < kVectors; ++g) {
            const int block = kHasScales ? g / 2 * kKvBlock : 0;
            sum[r][g] = fma(value[g], broadcast(weights[r * kStride + block + j]), sum[r][g]);
        }
    }
    NEOX_UNROLL
    for (int r = 0; r < kRows; ++r) NEOX_UNROLL
    for (int g = 0; g < kVectors; ++g) store(out + r * out_stride + 16 * g, sum[r][g]);
}

// The same for all dimensions.
template <KvType kType, int kRows>
NEOX_INLINE void add_values(const ValueRange& range, const float* factor, float* out,
                            std::int64_t out_stride) {
    const int head_dim = range.head_dim;
    int d = 0;
    if constexpr (kRows == 1) {  // whole rows as they lie in memory
        constexpr int kMost = 4 * kTilePanels;
        for (; d + 16 * kMost <= head_dim; d += 16 * kMost)
            add_strip<kType, 1, kMost>(range, d, factor, out + d, out_stride);
    }
    for (; d + 32 <= head_dim; d += 32) {
        if constexpr (kTilePanels == 2) {
            add_strip<kType, kRows, 2>(range, d, factor, out + d, out_stride);
        } else {
            add_strip<kType, kRows, 1>(range, d, factor, out + d, out_stride);
            add_strip<kType, kRows, 1>(range, d + 16, factor, out + d + 16, out_stride);
        }
    }
    for (; d < head_dim; d += 16) {
        const int n = head_dim - d < 16 ? head_dim - d : 16;
        float lanes[kRows][16];
        for (int r = 0; r < kRows; ++r) store(lanes[r], load_first(out + r * out_stride + d, n));
        add_strip<kType, kRows, 1>(range, d, factor, lanes[0], 16);
        for (int r = 0; r < kRows; ++r) store_first(out + r * out_stride + d, n, load(lanes[r]));
    }
}

}  // namespace neox::NEOX_ISA
