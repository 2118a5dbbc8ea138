// Products with tiles of f32 and f16, as attention wants them. Included inside a target region; see README.md.
//
// Elements are converted to f32 in registers. Of an output element the operations are always the same, in the same order,
// whatever kRows and kVectors say: scores add up dimension after dimension, outputs position after position.
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

// scores[r][j] = scale * (product of row r of q with the tile's key j) for the first n keys, and some behind them.
template <KvType kType, int kRows, int kVectors>
NEOX_INLINE void find_scores(const std::byte* tile, int head_dim, const float* q, std::int64_t q_stride,
                             float scale, int n, float* scores) {
    using Lanes = KvLanes<kType>;
    for (int first = 0; first < n; first += 16 * kVectors) {
        F32x16 sum[kRows][kVectors];
        NEOX_UNROLL
        for (int r = 0; r < kRows; ++r) {
            NEOX_UNROLL
            for (int v = 0; v < kVectors; ++v) sum[r][v] = broadcast(0.0f);
        }
        const auto* k = reinterpret_cast<const typename Lanes::Element*>(tile) + first;
        for (int d = 0; d < head_dim; ++d, k += kKvBlock) {
            F32x16 key[kVectors];
            NEOX_UNROLL
            for (int v = 0; v < kVectors; ++v) key[v] = Lanes::read(k + 16 * v);
            NEOX_UNROLL
            for (int r = 0; r < kRows; ++r) {
                const F32x16 x = broadcast(q[r * q_stride + d]);
                NEOX_UNROLL
                for (int v = 0; v < kVectors; ++v) sum[r][v] = fma(key[v], x, sum[r][v]);
            }
        }
        NEOX_UNROLL
        for (int r = 0; r < kRows; ++r) {
            NEOX_UNROLL
            for (int v = 0; v < kVectors; ++v)
                store(scores + r * kKvBlock + first + 16 * v, mul(sum[r][v], broadcast(scale)));
        }
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
    using Lanes = KvLanes<kType>;
    F32x16 sum[kRows][kVectors];
    NEOX_UNROLL
    for (int r = 0; r < kRows; ++r) {
        NEOX_UNROLL
        for (int v = 0; v < kVectors; ++v)
            sum[r][v] = mul(load(out + r * out_stride + 16 * v), broadcast(factor[r]));
    }
    const auto* values = reinterpret_cast<const typename Lanes::Element*>(range.tile) +
                         std::int64_t{range.begin} * range.head_dim + d;
    for (int j = range.begin; j < range.end; ++j, values += range.head_dim) {
        F32x16 value[kVectors];
        NEOX_UNROLL
        for (int v = 0; v < kVectors; ++v) value[v] = Lanes::read(values + 16 * v);
        NEOX_UNROLL
        for (int r = 0; r < kRows; ++r) {
            const F32x16 weight = broadcast(range.weights[r * kKvBlock + j]);
            NEOX_UNROLL
            for (int v = 0; v < kVectors; ++v) sum[r][v] = fma(value[v], weight, sum[r][v]);
        }
    }
    NEOX_UNROLL
    for (int r = 0; r < kRows; ++r) {
        NEOX_UNROLL
        for (int v = 0; v < kVectors; ++v) store(out + r * out_stride + 16 * v, sum[r][v]);
    }
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
    for (; d + 16 * kTilePanels <= head_dim; d += 16 * kTilePanels)
        add_strip<kType, kRows, kTilePanels>(range, d, factor, out + d, out_stride);
    for (; d < head_dim; d += 16) {
        const int n = head_dim - d < 16 ? head_dim - d : 16;
        float lanes[kRows][16];
        for (int r = 0; r < kRows; ++r) store(lanes[r], load_first(out + r * out_stride + d, n));
        add_strip<kType, kRows, 1>(range, d, factor, lanes[0], 16);
        for (int r = 0; r < kRows; ++r) store_first(out + r * out_stride + d, n, load(lanes[r]));
    }
}

}  // namespace neox::NEOX_ISA
