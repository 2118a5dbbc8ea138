// One query head against its KV cache. Included inside a target region; see README.md.
#pragma once

#include "kernels/generic/math.h"
#include "kernels/generic/ops.h"

namespace neox::NEOX_ISA {

template <class Kv> struct KvReader;
template <> struct KvReader<float> {
    static NEOX_INLINE F32x16 read(const float* p) { return load(p); }
    static NEOX_INLINE F32x16 read_first(const float* p, std::int64_t n) { return load_first(p, n); }
};
template <> struct KvReader<std::uint16_t> {
    static NEOX_INLINE F32x16 read(const std::uint16_t* p) { return load_f16(p); }
    static NEOX_INLINE F32x16 read_first(const std::uint16_t* p, std::int64_t n) {
        return load_f16_first(p, n);
    }
};

// One product of a query with a key, 16 partial sums, each sequential over the groups of 16 dimensions.
// kGroups > 0 names head_dim / 16 at compile time; the operations are the same.
template <class Kv, int kGroups> NEOX_INLINE F32x16 dot_lanes(const float* q, const Kv* k, int head_dim) {
    F32x16 sum = broadcast(0.0f);
    if constexpr (kGroups > 0) {
        NEOX_UNROLL
        for (int g = 0; g < kGroups; ++g) sum = fma(KvReader<Kv>::read(k + 16 * g), load(q + 16 * g), sum);
    } else {
        const int whole = head_dim / 16 * 16;
        for (int d = 0; d < whole; d += 16) sum = fma(KvReader<Kv>::read(k + d), load(q + d), sum);
        if (const int rest = head_dim - whole; rest > 0)
            sum = fma(KvReader<Kv>::read_first(k + whole, rest), load_first(q + whole, rest), sum);
    }
    return sum;
}

// out[d] = out[d] * factor + sum over positions of p[j] * v[j][d], for 16 * kGroups dimensions from `d`.
template <class Kv, int kGroups>
NEOX_INLINE void add_values(const float* p, int n, const Kv* v, int head_dim, F32x16 factor, float* out) {
    F32x16 sum[kGroups];
    NEOX_UNROLL
    for (int g = 0; g < kGroups; ++g) sum[g] = mul(load(out + 16 * g), factor);
    for (int j = 0; j < n; ++j, v += head_dim) {
        const F32x16 weight = broadcast(p[j]);
        NEOX_UNROLL
        for (int g = 0; g < kGroups; ++g) sum[g] = fma(KvReader<Kv>::read(v + 16 * g), weight, sum[g]);
    }
    NEOX_UNROLL
    for (int g = 0; g < kGroups; ++g) store(out + 16 * g, sum[g]);
}

template <class Kv>
NEOX_INLINE void add_values_rest(const float* p, int n, const Kv* v, int head_dim, int rest, F32x16 factor,
                                 float* out) {
    F32x16 sum = mul(load_first(out, rest), factor);
    for (int j = 0; j < n; ++j, v += head_dim)
        sum = fma(KvReader<Kv>::read_first(v, rest), broadcast(p[j]), sum);
    store_first(out, rest, sum);
}

template <class Kv, int kGroups> NEOX_INLINE void attention_over(const AttentionArgs& args) {
    const int head_dim = args.head_dim;
    float running_max = -INFINITY, total = 0.0f;
    for (int d = 0; d < head_dim; ++d) args.out[d] = 0.0f;
    for (std::int64_t first = 0, tile = 0; first < args.n_positions; first += kKvBlock, ++tile) {
        const std::int64_t left = args.n_positions - first;
        const int n = left < kKvBlock ? static_cast<int>(left) : kKvBlock;
        const Kv* keys = reinterpret_cast<const Kv*>(args.k_blocks[tile]);
        const Kv* values = reinterpret_cast<const Kv*>(args.v_blocks[tile]);
        // Positions beyond n count as a score of minus infinity.
        float scores[kKvBlock];
        F32x16 tile_max = broadcast(-INFINITY);
        for (int j = 0; j < kKvBlock; j += 16) {
            F32x16 score = broadcast(-INFINITY);
            if (j < n) {
                F32x16 rows[16];
                for (int i = 0; i < 16; ++i) {
                    const int position = j + i < n ? j + i : n - 1;
                    rows[i] = dot_lanes<Kv, kGroups>(
                        args.q, keys + static_cast<std::int64_t>(position) * head_dim, head_dim);
                }
                score = mul(reduce_add_rows(rows), broadcast(args.scale));
                if (n - j < 16) {
                    store(scores + j, score);
                    for (int i = n - j; i < 16; ++i) scores[j + i] = -INFINITY;
                    score = load(scores + j);
                }
            }
            store(scores + j, score);
            tile_max = max(score, tile_max);
        }
        const float largest = reduce_max(tile_max);
        const float new_max = largest > running_max ? largest : running_max;
        F32x16 sums = broadcast(0.0f);
        for (int j = 0; j < kKvBlock; j += 16) {
            const F32x16 power = exp(sub(load(scores + j), broadcast(new_max)));
            store(scores + j, power);
            sums = add(sums, power);
        }
        float factor[16];
        const F32x16 factors = exp(broadcast(running_max - new_max));
        store(factor, factors);
        total = total * factor[0] + reduce_add(sums);
        running_max = new_max;

        int d = 0;
        for (; d + 128 <= head_dim; d += 128)
            add_values<Kv, 8>(scores, n, values + d, head_dim, factors, args.out + d);
        for (; d + 64 <= head_dim; d += 64)
            add_values<Kv, 4>(scores, n, values + d, head_dim, factors, args.out + d);
        for (; d + 16 <= head_dim; d += 16)
            add_values<Kv, 1>(scores, n, values + d, head_dim, factors, args.out + d);
        if (d < head_dim)
            add_values_rest<Kv>(scores, n, values + d, head_dim, head_dim - d, factors, args.out + d);
    }
    const float inverse = 1.0f / total;
    for (int d = 0; d < head_dim; ++d) args.out[d] *= inverse;
}

template <class Kv> NEOX_INLINE void attention_of(const AttentionArgs& args) {
    switch (args.head_dim) {
        case 128: attention_over<Kv, 8>(args); break;
        case 64: attention_over<Kv, 4>(args); break;
        default: attention_over<Kv, 0>(args); break;
    }
}

void attention(const AttentionArgs& args) {
    if (args.kv_type == KvType::f16) {
        attention_of<std::uint16_t>(args);
    } else {
        attention_of<float>(args);
    }
}

}  // namespace neox::NEOX_ISA
