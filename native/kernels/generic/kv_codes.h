// Products with tiles of q8_0, as attention wants them. Included inside a target region; see README.md.
//
// Codes are multiplied as integers with numbers of 15 bits, two signed bytes each (see Activations, q15): the queries in
// blocks of 32 dimensions, the weights of the positions, times their scales, in blocks of a whole tile. That is a
// hundred times finer than the codes themselves, and four products for one in f32. The sum of a block is exact, so its order
// does not matter; blocks follow one another. Weights that are zero make positions that are not seen harmless.
#pragma once

#include "kernels/generic/ops.h"
#include "kernels/generic/quantize.h"

namespace neox::NEOX_ISA {

using CodeDot = Dot<8, 128>;

// Rows of a tile: 12 integer and 6 float accumulators where there are 32 registers of 16 lanes.
inline constexpr int kCodeRows = kStepPanels == 2 ? 3 : kStepTokens;

// The scales of the block that holds dimension d, one for each position.
NEOX_INLINE const std::uint16_t* kv_scales(const std::byte* tile, int d) {
    return reinterpret_cast<const std::uint16_t*>(tile) + d / kQuantBlock * kKvBlock;
}

// Integers of 15 bits, and where their sums with codes begin.
struct Planes {
    std::int8_t* high;
    std::int8_t* low;
    float* scale;         // of each block
    std::int32_t* start;  // of each block
};

// The queries of all pairs, quantized into the scratch.
struct QueryPlanes {
    NEOX_INLINE QueryPlanes(const AttentionArgs& args)
        : n_blocks((args.head_dim + kQuantBlock - 1) / kQuantBlock) {
        const std::int64_t n = std::int64_t{kAttentionPairs} * n_blocks;
        first.high = reinterpret_cast<std::int8_t*>(args.scratch);
        first.low = first.high + kQuantBlock * n;
        first.scale = reinterpret_cast<float*>(first.low + kQuantBlock * n);
        first.start = reinterpret_cast<std::int32_t*>(first.scale + n);
        for (int head = 0; head < args.n_heads; ++head)
            for (int row = 0; row < args.n_rows; ++row) {
                const Planes to = of(head * args.n_rows + row);
                const float* q = args.q + row * args.q_stride + head * args.head_dim;
                for (int b = 0, d = 0; b < n_blocks; ++b, d += kQuantBlock) {
                    float last[kQuantBlock] = {};
                    const float* values = q + d;
                    if (args.head_dim - d < kQuantBlock) {
                        for (int i = 0; i < args.head_dim - d; ++i) last[i] = values[i];
                        values = last;
                    }
                    std::int32_t sums[2];
                    quantize_q15(values, kQuantBlock, to.high + d, to.low + d, to.scale + b, sums);
                    to.start[b] = -CodeDot::kOffset * (sums[0] + sums[1]);
                }
            }
    }
    NEOX_INLINE Planes of(int pair) const {
        const std::int64_t at = std::int64_t{pair} * n_blocks;
        return {first.high + kQuantBlock * at, first.low + kQuantBlock * at, first.scale + at,
                first.start + at};
    }
    int n_blocks;
    Planes first;
};

// sum[r] = sums of the products of n_groups groups of four with 16 * kVectors columns of codes, `stride` bytes from one
// group to the next. high and low belong to the first row, the others follow at `row_stride`.
template <int kRows, int kVectors>
NEOX_INLINE void sum_codes(const std::byte* codes, std::int64_t stride, int n_groups, const std::int8_t* high,
                           const std::int8_t* low, std::int64_t row_stride, const std::int32_t* start,
                           std::int64_t start_stride, F32x16 (&sum)[kRows][kVectors]) {
    typename CodeDot::Sum highs[kRows][kVectors], lows[kRows][kVectors];
    NEOX_UNROLL
    for (int r = 0; r < kRows; ++r) {
        NEOX_UNROLL
        for (int v = 0; v < kVectors; ++v) {
            highs[r][v] = CodeDot::start(0);
            lows[r][v] = CodeDot::start(start[r * start_stride]);
        }
    }
    for (int g = 0; g < n_groups; ++g, codes += stride, high += 4, low += 4) {
        typename CodeDot::Weights w[kVectors];
        NEOX_UNROLL
        for (int v = 0; v < kVectors; ++v) w[v] = CodeDot::prepare(load_u8(codes + 64 * v));
        NEOX_UNROLL
        for (int r = 0; r < kRows; ++r) {
            const X4 x_high = broadcast_x4(high + r * row_stride), x_low = broadcast_x4(low + r * row_stride);
            NEOX_UNROLL
            for (int v = 0; v < kVectors; ++v) {
                highs[r][v] = CodeDot::add(highs[r][v], w[v], x_high);
                lows[r][v] = CodeDot::add(lows[r][v], w[v], x_low);
            }
        }
    }
    NEOX_UNROLL
    for (int r = 0; r < kRows; ++r) {
        NEOX_UNROLL
        for (int v = 0; v < kVectors; ++v)
            sum[r][v] = to_f32(add(CodeDot::finish(lows[r][v], start[r * start_stride]),
                                   shift_left<7>(CodeDot::finish(highs[r][v], 0))));
    }
}

// scores[r][j] = scale * (product of the query of pair + r with the tile's key j) for the first n keys, and some behind them.
template <int kRows, int kVectors>
NEOX_INLINE void find_code_scores(const std::byte* tile, int head_dim, const QueryPlanes& queries, int pair,
                                  float scale, int n, float* scores) {
    const Planes q = queries.of(pair);
    const std::int64_t n_blocks = queries.n_blocks;
    const std::byte* codes = tile + kv_scale_bytes(head_dim);
    if constexpr (kRows == 1)  // the tile is one stream, whatever is used first
        for (const std::byte* line = tile; line < codes; line += 64) prefetch(line);
    for (int first = 0; first < n; first += 16 * kVectors) {
        F32x16 total[kRows][kVectors];
        NEOX_UNROLL
        for (int r = 0; r < kRows; ++r) {
            NEOX_UNROLL
            for (int v = 0; v < kVectors; ++v) total[r][v] = broadcast(0.0f);
        }
        for (int d = 0, b = 0; d < head_dim; d += kQuantBlock, ++b) {
            const int left = (head_dim - d + 3) / 4;
            F32x16 sum[kRows][kVectors];
            sum_codes(codes + std::int64_t{d} * kKvBlock + 4 * first, 4 * kKvBlock,
                      left < kQuantBlock / 4 ? left : kQuantBlock / 4, q.high + d, q.low + d,
                      kQuantBlock * n_blocks, q.start + b, n_blocks, sum);
            const std::uint16_t* key_scales = kv_scales(tile, d) + first;
            NEOX_UNROLL
            for (int v = 0; v < kVectors; ++v) {
                const F32x16 key_scale = load_f16(key_scales + 16 * v);
                NEOX_UNROLL
                for (int r = 0; r < kRows; ++r)
                    total[r][v] =
                        fma(sum[r][v], mul(key_scale, broadcast(q.scale[r * n_blocks + b])), total[r][v]);
            }
        }
        NEOX_UNROLL
        for (int r = 0; r < kRows; ++r) {
            NEOX_UNROLL
            for (int v = 0; v < kVectors; ++v)
                store(scores + r * kKvBlock + first + 16 * v, mul(total[r][v], broadcast(scale)));
        }
    }
}

// Weights times scales of the first n positions of a tile, zero behind them; none is negative. One scale for all.
NEOX_INLINE void quantize_weights(const float* weights, const std::uint16_t* scales, int n, std::int8_t* high,
                                  std::int8_t* low, float* scale, std::int32_t* start) {
    alignas(64) float x[kKvBlock];
    I32x16 largest = broadcast(0);
    for (int j = 0; j < kKvBlock; j += 16) {
        F32x16 product = mul(load(weights + j), load_f16(scales + j));
        store(x + j, product);
        if (n - j < 16) {
            for (int i = n > j ? n : j; i < j + 16; ++i) x[i] = 0.0f;
            product = load(x + j);
        }
        largest = max(largest, bits_of(abs(product)));
    }
    // As in quantize_block().
    const std::int32_t most = reduce_max(largest);
    constexpr std::int32_t kInfinity = 0x7f800000, kTiny = (127 - 100) << 23, kLimit = 127 * 128;
    float absmax;
    std::memcpy(&absmax, &most, sizeof(absmax));
    if (most < kTiny || most >= kInfinity) {
        std::memset(high, 0, kKvBlock);
        std::memset(low, 0, kKvBlock);
        *scale = most < kTiny ? 0.0f : absmax - absmax;
        *start = 0;
        return;
    }
    const F32x16 factor = broadcast(static_cast<float>(kLimit) / absmax);
    const I32x16 top = broadcast(kLimit);
    I32x16 sum = broadcast(0);
    for (int j = 0; j < kKvBlock; j += 16) {
        const I32x16 integers = min(top, round_to_i32(mul(load(x + j), factor)));
        store_planes(integers, high + j, low + j);
        sum = add(sum, integers);
    }
    *scale = absmax / static_cast<float>(kLimit);
    *start = -CodeDot::kOffset * reduce_add(sum);
}

// The weights of kRows rows with one block of 32 dimensions.
template <int kRows> struct WeightPlanes {
    alignas(64) std::int8_t high[kRows][kKvBlock];
    alignas(64) std::int8_t low[kRows][kKvBlock];
    float scale[kRows];
    std::int32_t start[kRows];
};

// out[r] = out[r] * factor[r] + sum over the first n positions of weight * value, for 16 * kVectors dimensions from d on.
template <int kRows, int kVectors>
NEOX_INLINE void add_code_strip(const std::byte* tile, int head_dim, int d, int n,
                                const WeightPlanes<kRows>& weights, const float* factor, float* out,
                                std::int64_t out_stride) {
    F32x16 sum[kRows][kVectors];
    sum_codes(tile + kv_scale_bytes(head_dim) + 4 * d, kv_code_bytes(head_dim) / 16, (n + 3) / 4,
              weights.high[0], weights.low[0], kKvBlock, weights.start, 1, sum);
    NEOX_UNROLL
    for (int r = 0; r < kRows; ++r) {
        NEOX_UNROLL
        for (int v = 0; v < kVectors; ++v) {
            float* to = out + r * out_stride + 16 * v;
            store(to, fma(sum[r][v], broadcast(weights.scale[r]), mul(load(to), broadcast(factor[r]))));
        }
    }
}

// One row with kBlocks blocks from dimension d on, as they lie in memory.
template <int kBlocks>
NEOX_INLINE void add_code_row(const std::byte* tile, int head_dim, int d, int n, const float* weights,
                              float factor, float* out) {
    constexpr int kVectors = 2 * kBlocks;
    const std::int64_t stride = kv_code_bytes(head_dim) / 16;
    WeightPlanes<kBlocks> planes;
    typename CodeDot::Sum highs[kVectors], lows[kVectors];
    NEOX_UNROLL
    for (int b = 0; b < kBlocks; ++b) {
        const int at = d + kQuantBlock * b;
        quantize_weights(weights, kv_scales(tile, at), n, planes.high[b], planes.low[b], planes.scale + b,
                         planes.start + b);
    }
    NEOX_UNROLL
    for (int v = 0; v < kVectors; ++v) {
        highs[v] = CodeDot::start(0);
        lows[v] = CodeDot::start(planes.start[v / 2]);
    }
    const std::byte* codes = tile + kv_scale_bytes(head_dim) + 4 * d;
    for (int j = 0; j < n; j += 4, codes += stride) {
        X4 high[kBlocks], low[kBlocks];
        NEOX_UNROLL
        for (int b = 0; b < kBlocks; ++b) {
            high[b] = broadcast_x4(planes.high[b] + j);
            low[b] = broadcast_x4(planes.low[b] + j);
        }
        NEOX_UNROLL
        for (int v = 0; v < kVectors; ++v) {
            const typename CodeDot::Weights w = CodeDot::prepare(load_u8(codes + 64 * v));
            highs[v] = CodeDot::add(highs[v], w, high[v / 2]);
            lows[v] = CodeDot::add(lows[v], w, low[v / 2]);
        }
    }
    NEOX_UNROLL
    for (int v = 0; v < kVectors; ++v) {
        const I32x16 sum =
            add(CodeDot::finish(lows[v], planes.start[v / 2]), shift_left<7>(CodeDot::finish(highs[v], 0)));
        store(out + 16 * v,
              fma(to_f32(sum), broadcast(planes.scale[v / 2]), mul(load(out + 16 * v), broadcast(factor))));
    }
}

// The same for all dimensions; row r sees the first n[r] positions, and its weights are 64 behind those of the row before.
template <int kRows>
NEOX_INLINE void add_code_values(const std::byte* tile, int head_dim, const int* n, const float* weights,
                                 const float* factor, float* out, std::int64_t out_stride) {
    int begin = 0;
    if constexpr (kRows == 1) {
        constexpr int kBlocks = 2 * kStepPanels;
        for (; begin + kQuantBlock * kBlocks <= head_dim; begin += kQuantBlock * kBlocks)
            add_code_row<kBlocks>(tile, head_dim, begin, n[0], weights, factor[0], out + begin);
    }
    for (; begin < head_dim; begin += kQuantBlock) {
        WeightPlanes<kRows> planes;
        for (int r = 0; r < kRows; ++r)
            quantize_weights(weights + r * kKvBlock, kv_scales(tile, begin), n[r], planes.high[r],
                             planes.low[r], planes.scale + r, planes.start + r);
        const int end = head_dim - begin < kQuantBlock ? head_dim : begin + kQuantBlock;
        int d = begin;
        for (; d + 16 * kTilePanels <= end; d += 16 * kTilePanels)
            add_code_strip<kRows, kTilePanels>(tile, head_dim, d, n[kRows - 1], planes, factor, out + d,
                                               out_stride);
        for (; d < end; d += 16) {
            const int left = end - d < 16 ? end - d : 16;
            float lanes[kRows][16];
            for (int r = 0; r < kRows; ++r) store(lanes[r], load_first(out + r * out_stride + d, left));
            add_code_strip<kRows, 1>(tile, head_dim, d, n[kRows - 1], planes, factor, lanes[0], 16);
            for (int r = 0; r < kRows; ++r) store_first(out + r * out_stride + d, left, load(lanes[r]));
        }
    }
}

}  // namespace neox::NEOX_ISA
