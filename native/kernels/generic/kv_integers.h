// Products of prompt rows with whole tiles of f16, as attention wants them. Included inside a target region; see README.md.
//
// A tile is converted to integers of 12 bits once for all rows, and pairs of them are multiplied with pairs of integers of the
// queries (12 bits) and of the weights (13 bits), twice as many products for an instruction as in f32. Each key has a scale
// of its own, each query, each dimension of a tile's values, and each row's weights. Sums over up to 128 dimensions, or 64
// positions, are exact in 32 bits; the order does not matter within them.
//
// Dimensions that are large in all keys of a tile would leave few bits to the others. Keys are divided by 2^shift there and
// queries multiplied by it: the square root of what the dimension is above the usual one, so that neither side keeps all of
// its range. Shifts are zero but for such dimensions; where they change from tile to tile, queries are quantized again.
//
// A pair is two elements 16 apart, so that no lane moves: the low half is the first.
#pragma once

#include "kernels/generic/ops.h"

namespace neox::NEOX_ISA {

inline constexpr int kIntegerVectors = kTilePanels;
inline constexpr std::int32_t kMostInteger = 4095, kMostWeight = 8191;
inline constexpr int kIntegerChunk = 128;  // 128 * 4095^2 and 64 * 4095 * 8191 are below 2^31

NEOX_INLINE I32x16 pair_up(I32x16 first, I32x16 second) {
    return add(bit_and(first, broadcast(0xffff)), shift_left<16>(second));
}

// By lane: most / largest, and its inverse. Lanes whose largest magnitude is below 2^-100 count as zero; those with an
// infinity or a NaN get a NaN as scale, so that the failure shows. Magnitudes are compared as integers, where a NaN is the largest.
struct IntegerScales {
    NEOX_INLINE IntegerScales(I32x16 largest, std::int32_t most) {
        const F32x16 magnitude = f32_of_bits(largest), zero = broadcast(0.0f), tiny = broadcast(0x1p-100f),
                     infinity = broadcast(INFINITY), top = broadcast(static_cast<float>(most));
        const F32x16 usual = select_less(magnitude, infinity, div(magnitude, top), sub(magnitude, magnitude));
        factor =
            select_less(magnitude, tiny, zero, select_less(magnitude, infinity, div(top, magnitude), zero));
        scale = select_less(magnitude, tiny, zero, usual);
    }
    F32x16 factor, scale;
};

// The integers of the pairs of one row of n values, n a multiple of 32, all with one scale, which is returned.
NEOX_INLINE float take_integers(const float* x, int n, std::int32_t most, std::int32_t* pairs) {
    I32x16 largest = broadcast(0);
    for (int i = 0; i < n; i += 16) largest = max(largest, bits_of(abs(load(x + i))));
    const IntegerScales scales(broadcast(reduce_max(largest)), most);
    for (int i = 0; i < n; i += 32)
        store(pairs + i / 2, pair_up(round_to_i32(mul(load(x + i), scales.factor)),
                                     round_to_i32(mul(load(x + i + 16), scales.factor))));
    float lanes[16];
    store(lanes, scales.scale);
    return lanes[0];
}

// The scratch of a call: its queries, and the tile that is at work.
class TileIntegers {
public:
    NEOX_INLINE explicit TileIntegers(const AttentionArgs& a)
        : args(a), width((a.head_dim + 31) / 32 * 32), keys(reinterpret_cast<std::int32_t*>(a.scratch)),
          values(keys + std::int64_t{kKvBlock / 2} * width),
          queries(values + std::int64_t{kKvBlock / 2} * width),
          key_scales(reinterpret_cast<float*>(queries + std::int64_t{kAttentionPairs / 2} * width)),
          value_scales(key_scales + kKvBlock), query_scales(value_scales + width),
          query_shifts(reinterpret_cast<std::int8_t*>(query_scales + kAttentionPairs)),
          padded(reinterpret_cast<float*>(values)), divisors(padded + width), shifts(values + 2 * width) {
        for (int d = 0; d < width; ++d) shifts[d] = 0;
        for (int head = 0; head < a.n_heads; ++head) take_queries(head, 0);
    }

    // Each lane is a key, pairs are dimensions. Makes the queries of rows [row, n_rows) fit.
    NEOX_INLINE void take_keys(const std::byte* tile, int head, int row) {
        const auto* k = reinterpret_cast<const std::uint16_t*>(tile);
        constexpr int kVectors = kKvBlock / 16;
        I32x16 largest[kVectors];
        for (int v = 0; v < kVectors; ++v) largest[v] = broadcast(0);
        for (int d = 0; d < width; d += 16) {
            F32x16 sums[16];
            for (int i = 0; i < 16; ++i) {
                sums[i] = broadcast(0.0f);
                if (d + i >= args.head_dim) continue;
                for (int v = 0; v < kVectors; ++v) {
                    const F32x16 magnitude = abs(load_f16(k + (d + i) * kKvBlock + 16 * v));
                    largest[v] = max(largest[v], bits_of(magnitude));
                    sums[i] = add(sums[i], magnitude);
                }
            }
            store(shifts + d, bit_and(shift_right<23>(bits_of(reduce_add_rows(sums))), broadcast(0xff)));
        }
        if (find_shifts(head)) take_queries(head, row);
        if (!has_shifts) return take_keys<false>(k, largest);
        for (int v = 0; v < kVectors; ++v) {
            largest[v] = broadcast(0);
            for (int d = 0; d < args.head_dim; ++d)
                largest[v] =
                    max(largest[v],
                        bits_of(abs(mul(load_f16(k + d * kKvBlock + 16 * v), broadcast(divisors[d])))));
        }
        take_keys<true>(k, largest);
    }
    // Each lane is a dimension, pairs are positions.
    NEOX_INLINE void take_values(const std::byte* tile) {
        const auto* v = reinterpret_cast<const std::uint16_t*>(tile);
        for (int d = 0; d < args.head_dim; d += 16) {
            I32x16 largest = broadcast(0);
            for (int j = 0; j < kKvBlock; ++j)
                largest = max(largest, bits_of(abs(load_f16(v + j * args.head_dim + d))));
            const IntegerScales scales(largest, kMostInteger);
            store(value_scales + d, scales.scale);
            const auto integer = [&](int j) {
                return round_to_i32(mul(load_f16(v + j * args.head_dim + d), scales.factor));
            };
            for (int j = 0; j < kKvBlock; j += 32)
                for (int i = 0; i < 16; ++i)
                    store(values + (j / 2 + i) * width + d, pair_up(integer(j + i), integer(j + 16 + i)));
        }
    }

    // scores[r][j] of the rows from `pair` on with the keys that were taken.
    template <int kRows> NEOX_INLINE void find_scores(int pair, float* scores) const {
        constexpr int kVectors = kRows == 1 ? 4 : kIntegerVectors;
        const std::int32_t* q = queries + std::int64_t{pair} * width / 2;
        for (int first = 0; first < kKvBlock; first += 16 * kVectors) {
            F32x16 total[kRows][kVectors];
            NEOX_UNROLL
            for (int r = 0; r < kRows; ++r) {
                NEOX_UNROLL
                for (int v = 0; v < kVectors; ++v) total[r][v] = broadcast(0.0f);
            }
            for (int d = 0; d < width; d += kIntegerChunk) {
                F32x16 sum[kRows][kVectors];
                add_pairs<kRows, kVectors>(keys + std::int64_t{d} / 2 * kKvBlock + first, kKvBlock,
                                           (width - d < kIntegerChunk ? width - d : kIntegerChunk) / 2,
                                           q + d / 2, width / 2, sum);
                NEOX_UNROLL
                for (int r = 0; r < kRows; ++r) {
                    NEOX_UNROLL
                    for (int v = 0; v < kVectors; ++v) total[r][v] = add(total[r][v], sum[r][v]);
                }
            }
            NEOX_UNROLL
            for (int r = 0; r < kRows; ++r) {
                NEOX_UNROLL
                for (int v = 0; v < kVectors; ++v)
                    store(scores + r * kKvBlock + first + 16 * v,
                          mul(total[r][v],
                              mul(load(key_scales + first + 16 * v), broadcast(query_scales[pair + r]))));
            }
        }
    }

    // out[r] = out[r] * factor[r] + sum over the tile of weight * value, with the values that were taken.
    template <int kRows>
    NEOX_INLINE void add_values(const float* weights, const float* factor, float* out,
                                std::int64_t out_stride) const {
        std::int32_t pairs[kRows][kKvBlock / 2];
        float scale[kRows];
        for (int r = 0; r < kRows; ++r)
            scale[r] = take_integers(weights + r * kKvBlock, kKvBlock, kMostWeight, pairs[r]);
        int d = 0;
        for (; d + 16 * kIntegerVectors <= args.head_dim; d += 16 * kIntegerVectors)
            add_strip<kRows, kIntegerVectors>(d, pairs[0], scale, factor, out + d, out_stride);
        for (; d < args.head_dim; d += 16) {
            const int n = args.head_dim - d < 16 ? args.head_dim - d : 16;
            float lanes[kRows][16];
            for (int r = 0; r < kRows; ++r) store(lanes[r], load_first(out + r * out_stride + d, n));
            add_strip<kRows, 1>(d, pairs[0], scale, factor, lanes[0], 16);
            for (int r = 0; r < kRows; ++r) store_first(out + r * out_stride + d, n, load(lanes[r]));
        }
    }

private:
    // The queries of rows [row, n_rows) as integers, multiplied by 2^shift.
    NEOX_INLINE void take_queries(int head, int row) {
        for (int d = 0; d < width; d += 16) store_i8(query_shifts + head * width + d, load_i32(shifts + d));
        for (; row < args.n_rows; ++row) {
            const int pair = head * args.n_rows + row;
            const float* q = args.q + row * args.q_stride + head * args.head_dim;
            for (int i = 0; i < width; ++i) padded[i] = i < args.head_dim ? q[i] : 0.0f;
            for (int d = 0; d < width; d += 16)
                store(padded + d,
                      mul(load(padded + d),
                          f32_of_bits(shift_left<23>(add(load_i32(shifts + d), broadcast(127))))));
            query_scales[pair] = args.scale * take_integers(padded, width, kMostInteger,
                                                            queries + std::int64_t{pair} * width / 2);
        }
    }

    // From the exponents of the sums of magnitudes, by dimension, to shifts and what they divide by. Returns whether the
    // head's queries had others.
    NEOX_INLINE bool find_shifts(int head) {
        constexpr std::int32_t kMostShift = 8;
        I32x16 total = broadcast(0), count = broadcast(0), most = broadcast(0), change = broadcast(0);
        for (int d = 0; d < width; d += 16) {
            const I32x16 exponent = load_i32(shifts + d);
            total = add(total, exponent);
            count = add(count, min(exponent, broadcast(1)));
        }
        const std::int32_t n = reduce_add(count), usual = n > 0 ? reduce_add(total) / n : 0;
        for (int d = 0; d < width; d += 16) {
            const I32x16 above = max(sub(load_i32(shifts + d), broadcast(usual)), broadcast(0));
            const I32x16 shift = min(shift_right<1>(above), broadcast(kMostShift));
            const I32x16 before = load_i8(query_shifts + head * width + d);
            store(shifts + d, shift);
            store(divisors + d, f32_of_bits(shift_left<23>(sub(broadcast(127), shift))));
            most = max(most, shift);
            change = max(change, max(sub(shift, before), sub(before, shift)));
        }
        has_shifts = reduce_max(most) > 0;
        return reduce_max(change) > 0;
    }

    template <bool kDivides>
    NEOX_INLINE void take_keys(const std::uint16_t* k, const I32x16 (&largest)[kKvBlock / 16]) {
        for (int first = 0; first < kKvBlock; first += 16) {
            const IntegerScales scales(largest[first / 16], kMostInteger);
            store(key_scales + first, scales.scale);
            const auto integer = [&](int d) {
                if (d >= args.head_dim) return broadcast(0);
                F32x16 key = load_f16(k + d * kKvBlock + first);
                if constexpr (kDivides) key = mul(key, broadcast(divisors[d]));
                return round_to_i32(mul(key, scales.factor));
            };
            for (int d = 0; d < width; d += 32)
                for (int i = 0; i < 16; ++i)
                    store(keys + (d / 2 + i) * kKvBlock + first,
                          pair_up(integer(d + i), integer(d + 16 + i)));
        }
    }

    // sum[r] = sums of the products of n pairs of row r, row_stride apart, with 16 * kVectors columns.
    template <int kRows, int kVectors>
    static NEOX_INLINE void add_pairs(const std::int32_t* columns, std::int64_t stride, int n,
                                      const std::int32_t* row, std::int64_t row_stride,
                                      F32x16 (&result)[kRows][kVectors]) {
        I32x16 sum[kRows][kVectors];
        NEOX_UNROLL
        for (int r = 0; r < kRows; ++r) {
            NEOX_UNROLL
            for (int v = 0; v < kVectors; ++v) sum[r][v] = broadcast(0);
        }
        for (int i = 0; i < n; ++i, columns += stride) {
            I32x16 column[kVectors];
            NEOX_UNROLL
            for (int v = 0; v < kVectors; ++v) column[v] = load_i32(columns + 16 * v);
            NEOX_UNROLL
            for (int r = 0; r < kRows; ++r) {
                const I32x16 x = broadcast(row[r * row_stride + i]);
                NEOX_UNROLL
                for (int v = 0; v < kVectors; ++v) sum[r][v] = add_pair_products(sum[r][v], column[v], x);
            }
        }
        NEOX_UNROLL
        for (int r = 0; r < kRows; ++r) {
            NEOX_UNROLL
            for (int v = 0; v < kVectors; ++v) result[r][v] = to_f32(sum[r][v]);
        }
    }

    template <int kRows, int kVectors>
    NEOX_INLINE void add_strip(int d, const std::int32_t* pairs, const float* scale, const float* factor,
                               float* out, std::int64_t out_stride) const {
        F32x16 sum[kRows][kVectors];
        add_pairs<kRows, kVectors>(values + d, width, kKvBlock / 2, pairs, kKvBlock / 2, sum);
        NEOX_UNROLL
        for (int r = 0; r < kRows; ++r) {
            NEOX_UNROLL
            for (int v = 0; v < kVectors; ++v) {
                float* to = out + r * out_stride + 16 * v;
                const F32x16 unit = mul(load(value_scales + d + 16 * v), broadcast(scale[r]));
                store(to, fma(sum[r][v], unit, mul(load(to), broadcast(factor[r]))));
            }
        }
    }

    const AttentionArgs& args;
    const int width;        // head_dim rounded up to whole pairs of lanes
    std::int32_t* keys;     // [width / 2][64]
    std::int32_t* values;   // [32][width]
    std::int32_t* queries;  // [kAttentionPairs][width / 2]
    float *key_scales, *value_scales, *query_scales;
    std::int8_t* query_shifts;  // [n_heads][width], those of the queries
    // While keys are taken, in the place of the values:
    float* padded;         // a query that ends with zeros
    float* divisors;       // [width], 2^-shift
    std::int32_t* shifts;  // [width], those of the tile
    bool has_shifts = false;
};

}  // namespace neox::NEOX_ISA
