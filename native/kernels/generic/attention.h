// One query head against its KV cache. Included inside a target region; see README.md.
#pragma once

#include "kernels/generic/kv_tiles.h"
#include "kernels/generic/math.h"
#include "kernels/generic/ops.h"

namespace neox::NEOX_ISA {

template <class Tile> NEOX_INLINE void attention_over(const AttentionArgs& args) {
    const int head_dim = args.head_dim;
    float running_max = -INFINITY, total = 0.0f;
    for (int d = 0; d < head_dim; ++d) args.out[d] = 0.0f;
    for (std::int64_t first = 0, tile = 0; first < args.n_positions; first += kKvBlock, ++tile) {
        const std::int64_t left = args.n_positions - first;
        const int n = left < kKvBlock ? static_cast<int>(left) : kKvBlock;
        const Tile keys(args.k_blocks[tile], head_dim), values(args.v_blocks[tile], head_dim);
        // Positions beyond n count as a score of minus infinity.
        float scores[kKvBlock];
        F32x16 tile_max = broadcast(-INFINITY);
        for (int j = 0; j < kKvBlock; j += 16) {
            F32x16 score = broadcast(-INFINITY);
            if (j < n) {
                F32x16 rows[16];
                keys.dots(args.q, j, n, rows, args.v_blocks[tile]);
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
        values.add_values(scores, n, factors, args.out, left > kKvBlock ? args.k_blocks[tile + 1] : nullptr);
    }
    const float inverse = 1.0f / total;
    for (int d = 0; d < head_dim; ++d) args.out[d] *= inverse;
}

template <template <int kGroups> class Tile> NEOX_INLINE void attention_of(const AttentionArgs& args) {
    switch (args.head_dim) {
        case 128: attention_over<Tile<8>>(args); break;
        case 64: attention_over<Tile<4>>(args); break;
        default: attention_over<Tile<0>>(args); break;
    }
}

void attention(const AttentionArgs& args) {
    switch (args.kv_type) {
        case KvType::f32: attention_of<F32Tile>(args); break;
        case KvType::f16: attention_of<F16Tile>(args); break;
        case KvType::q8_0: attention_of<Q8Tile>(args); break;
    }
}

}  // namespace neox::NEOX_ISA
