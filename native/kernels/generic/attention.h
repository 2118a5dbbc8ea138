// Attention over the KV cache, tile of keys by tile of keys. Included inside a target region; see README.md.
//
// A tile's scores are found for all rows and heads, then the softmax of each moves on, then the values are added. A row's
// operations are those that it would have alone: what depends on its neighbours is only which rows share the conversion of an
// element and a register of keys or values.
#pragma once

#include "kernels/generic/kv_tiles.h"
#include "kernels/generic/math.h"
#include "kernels/generic/ops.h"

namespace neox::NEOX_ISA {

// One tile of keys and values, and what is known of the pairs of a head and a row; pair head * n_rows + row.
struct AttentionState {
    float max[kAttentionPairs];
    float total[kAttentionPairs];
    alignas(64) float factor[kAttentionPairs];  // by which what was before this tile shrinks
    alignas(64) float scores[kAttentionPairs][kKvBlock];
};

// Calls step(rows, first) with the register tiles that rows [begin, end) are cut into; rows has a constant value.
template <int kRows> struct RowCount { static constexpr int value = kRows; };
template <class Step> NEOX_INLINE void each_row_tile(int begin, int end, Step&& step) {
    int row = begin;
    for (; row + kF32Tokens <= end; row += kF32Tokens) step(RowCount<kF32Tokens>{}, row);
    if constexpr (kF32Tokens > 2)
        for (; row + 2 <= end; row += 2) step(RowCount<2>{}, row);
    for (; row < end; ++row) step(RowCount<1>{}, row);
}

// Weights of one pair from its scores, of which the first n count; moves its maximum, leaving the change in factor.
NEOX_INLINE void move_max(AttentionState& s, int pair, int n) {
    float* scores = s.scores[pair];
    for (int j = n; j < kKvBlock; ++j) scores[j] = -INFINITY;
    F32x16 tile_max = broadcast(-INFINITY);
    for (int j = 0; j < kKvBlock; j += 16) tile_max = max(load(scores + j), tile_max);
    const float largest = reduce_max(tile_max);
    const float new_max = largest > s.max[pair] ? largest : s.max[pair];
    s.factor[pair] = s.max[pair] - new_max;
    s.max[pair] = new_max;
}
NEOX_INLINE void add_powers(AttentionState& s, int pair) {
    float* scores = s.scores[pair];
    const F32x16 offset = broadcast(s.max[pair]);
    F32x16 sums = broadcast(0.0f);
    for (int j = 0; j < kKvBlock; j += 16) {
        const F32x16 power = exp(sub(load(scores + j), offset));
        store(scores + j, power);
        sums = add(sums, power);
    }
    s.total[pair] = s.total[pair] * s.factor[pair] + reduce_add(sums);
}

template <KvType kType> NEOX_INLINE void attention_of(const AttentionArgs& args) {
    const int n_rows = args.n_rows, n_heads = args.n_heads, n_pairs = n_rows * n_heads, dim = args.head_dim;
    const std::int64_t tile_bytes = kv_tile_bytes(kType, dim), q_stride = args.q_stride,
                       out_stride = args.out_stride;
    AttentionState s;
    for (int pair = 0; pair < kAttentionPairs; ++pair) {
        s.max[pair] = -INFINITY;
        s.total[pair] = s.factor[pair] = 0.0f;
    }
    for (int row = 0; row < n_rows; ++row)
        for (int i = 0; i < n_heads * dim; ++i) args.out[row * out_stride + i] = 0.0f;
    int begin = 0;  // of the rows that see something of the tile
    for (std::int64_t first = 0, tile = 0; first < args.n_positions[n_rows - 1]; first += kKvBlock, ++tile) {
        while (args.n_positions[begin] <= first) ++begin;
        const auto seen = [&](int row) {
            const std::int64_t left = args.n_positions[row] - first;
            return left < kKvBlock ? static_cast<int>(left) : kKvBlock;
        };
        for (int head = 0; head < n_heads; ++head) {
            const std::byte* keys = args.k_blocks[tile] + head * tile_bytes;
            const float* q = args.q + head * dim;
            each_row_tile(begin, n_rows, [&](auto rows, int row) {
                constexpr int kRows = decltype(rows)::value, kVectors = kRows <= 2 ? 4 : kTilePanels;
                find_scores<kType, kRows, kVectors>(keys, dim, q + row * q_stride, q_stride, args.scale,
                                                    s.scores[head * n_rows + row]);
            });
        }
        for (int head = 0; head < n_heads; ++head)
            for (int row = begin; row < n_rows; ++row) move_max(s, head * n_rows + row, seen(row));
        for (int pair = 0; pair < n_pairs; pair += 16) store(s.factor + pair, exp(load(s.factor + pair)));
        for (int head = 0; head < n_heads; ++head)
            for (int row = begin; row < n_rows; ++row) add_powers(s, head * n_rows + row);
        for (int head = 0; head < n_heads; ++head) {
            const std::byte* values = args.v_blocks[tile] + head * tile_bytes;
            each_row_tile(begin, n_rows, [&](auto rows, int row) {
                constexpr int kRows = decltype(rows)::value;
                const int pair = head * n_rows + row, n = seen(row);
                float* out = args.out + row * out_stride + head * dim;
                add_values<kType, kRows>({values, dim, 0, n, s.scores[pair]}, s.factor + pair, out,
                                         out_stride);
                // What the later rows see beyond the first; a factor of one changes nothing.
                for (int i = 1; i < kRows; ++i) {
                    const float one = 1.0f;
                    if (seen(row + i) > n)
                        add_values<kType, 1>({values, dim, n, seen(row + i), s.scores[pair + i]}, &one,
                                             out + i * out_stride, 0);
                }
            });
        }
    }
    for (int head = 0; head < n_heads; ++head)
        for (int row = 0; row < n_rows; ++row) {
            const float inverse = 1.0f / s.total[head * n_rows + row];
            float* out = args.out + row * out_stride + head * dim;
            for (int d = 0; d < dim; ++d) out[d] *= inverse;
        }
}

void attention(const AttentionArgs& args) {
    switch (args.kv_type) {
        case KvType::f32: attention_of<KvType::f32>(args); break;
        case KvType::f16: attention_of<KvType::f16>(args); break;
        case KvType::q8_0: attention_of<KvType::q8_0>(args); break;
    }
}

}  // namespace neox::NEOX_ISA
