// Attention over the KV cache, tile of keys by tile of keys. Included inside a target region; see README.md.
//
// A tile's scores are found for all rows and heads, then the softmax of each moves on, then the values are added. A row's
// operations are those that it would have alone: what depends on its neighbours is only which rows share the conversion of an
// element and a register of keys or values.
#pragma once

#include "kernels/generic/kv_codes.h"
#include "kernels/generic/kv_integers.h"
#include "kernels/generic/kv_tiles.h"
#include "kernels/generic/math.h"

namespace neox::NEOX_ISA {

// One tile of keys and values, and what is known of the pairs of a head and a row; pair head * n_rows + row.
struct AttentionState {
    float max[kAttentionPairs];
    float total[kAttentionPairs];
    alignas(64) float factor[kAttentionPairs];  // by which what was before this tile shrinks
    alignas(64) float scores[kAttentionPairs][kKvBlock];
};

// Calls step(rows, first) with the register tiles of up to kMost rows that rows [begin, end) are cut into; rows has a
// constant value.
template <int kRows> struct RowCount { static constexpr int value = kRows; };
template <int kMost, class Step> NEOX_INLINE void each_row_tile(int begin, int end, Step&& step) {
    int row = begin;
    for (; row + kMost <= end; row += kMost) step(RowCount<kMost>{}, row);
    if constexpr (kMost > 2)
        for (; row + 2 <= end; row += 2) step(RowCount<2>{}, row);
    for (; row < end; ++row) step(RowCount<1>{}, row);
}

// Rows [row, row + kRows) of one head with one tile: scores to and weights from s, in the arithmetic of the cache's type. Row
// row + i sees the first n[i] positions of the tile; keys behind the last of them are read only if they lie beside it.
template <KvType kType> struct TileProducts {
    static constexpr int kMostRows = kF32Tokens;
    NEOX_INLINE explicit TileProducts(const AttentionArgs& a) : args(a) {}

    template <int kRows>
    NEOX_INLINE void scores(AttentionState& s, const std::byte* tile, int head, int row, const int* n) const {
        const float* q = args.q + row * args.q_stride + head * args.head_dim;
        float* to = s.scores[head * args.n_rows + row];
        const int seen = n[kRows - 1];
        if constexpr (kRows <= 2)
            if (seen > 32)
                return find_scores<kType, kRows, 4>(tile, args.head_dim, q, args.q_stride, args.scale, seen,
                                                    to);
        find_scores<kType, kRows, kRows <= 2 ? 2 : kTilePanels>(tile, args.head_dim, q, args.q_stride,
                                                                args.scale, seen, to);
    }
    template <int kRows>
    NEOX_INLINE void values(const AttentionState& s, const std::byte* tile, int head, int row,
                            const int* n) const {
        const int pair = head * args.n_rows + row;
        float* out = args.out + row * args.out_stride + head * args.head_dim;
        add_values<kType, kRows>({tile, args.head_dim, 0, n[0], s.scores[pair]}, s.factor + pair, out,
                                 args.out_stride);
        // What the later rows see beyond the first; a factor of one changes nothing.
        for (int i = 1; i < kRows; ++i) {
            const float one = 1.0f;
            if (n[i] > n[0])
                add_values<kType, 1>({tile, args.head_dim, n[0], n[i], s.scores[pair + i]}, &one,
                                     out + i * args.out_stride, 0);
        }
    }
    const AttentionArgs& args;
};
template <> struct TileProducts<KvType::q8_0> {
    static constexpr int kMostRows = kCodeRows;
    NEOX_INLINE explicit TileProducts(const AttentionArgs& a) : args(a), queries(a) {}

    template <int kRows>
    NEOX_INLINE void scores(AttentionState& s, const std::byte* tile, int head, int row, const int* n) const {
        const int pair = head * args.n_rows + row, seen = n[kRows - 1];
        if constexpr (kRows == 1)
            if (seen > 32)
                return find_code_scores<kRows, 4>(tile, args.head_dim, queries, pair, args.scale, seen,
                                                  s.scores[pair]);
        find_code_scores<kRows, kStepPanels>(tile, args.head_dim, queries, pair, args.scale, seen,
                                             s.scores[pair]);
    }
    template <int kRows>
    NEOX_INLINE void values(const AttentionState& s, const std::byte* tile, int head, int row,
                            const int* n) const {
        const int pair = head * args.n_rows + row;
        add_code_values<kRows>(tile, args.head_dim, n, s.scores[pair], s.factor + pair,
                               args.out + row * args.out_stride + head * args.head_dim, args.out_stride);
    }
    const AttentionArgs& args;
    QueryPlanes queries;
};

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

template <bool kUsesIntegers> struct Integers {
    NEOX_INLINE explicit Integers(const AttentionArgs&) {}
};
template <> struct Integers<true> : TileIntegers {
    NEOX_INLINE explicit Integers(const AttentionArgs& a) : TileIntegers(a) {}
};

template <KvType kType, bool kUsesIntegers> NEOX_INLINE void attention_of(const AttentionArgs& args) {
    using Products = TileProducts<kType>;
    constexpr int kMost = Products::kMostRows;
    const int n_rows = args.n_rows, n_heads = args.n_heads, n_pairs = n_rows * n_heads, dim = args.head_dim;
    const std::int64_t tile_bytes = kv_tile_bytes(kType, dim), end = args.n_positions[n_rows - 1];
    AttentionState s;
    for (int pair = 0; pair < kAttentionPairs; ++pair) {
        s.max[pair] = -INFINITY;
        s.total[pair] = s.factor[pair] = 0.0f;
    }
    for (int row = 0; row < n_rows; ++row)
        for (int i = 0; i < n_heads * dim; ++i) args.out[row * args.out_stride + i] = 0.0f;
    const Products products(args);
    [[maybe_unused]] Integers<kUsesIntegers> integers(args);
    int begin = 0,
        whole = 0;  // of the rows that see something of the tile, and of those that see all of it as integers
    for (std::int64_t first = 0, tile = 0; first < end; first += kKvBlock, ++tile) {
        while (args.n_positions[begin] <= first) ++begin;
        if constexpr (kUsesIntegers)
            while (whole < n_rows && args.n_positions[whole] < first + kKvBlock) ++whole;
        else
            whole = n_rows;
        const auto seen = [&](int row) {
            const std::int64_t left = args.n_positions[row] - first;
            return left < kKvBlock ? static_cast<int>(left) : kKvBlock;
        };
        for (int head = 0; head < n_heads; ++head) {
            const std::byte* keys = args.k_blocks[tile] + head * tile_bytes;
            each_row_tile<kMost>(begin, whole, [&](auto rows, int row) {
                constexpr int kRows = decltype(rows)::value;
                int n[kRows];
                for (int i = 0; i < kRows; ++i) n[i] = seen(row + i);
                products.template scores<kRows>(s, keys, head, row, n);
            });
            if constexpr (kUsesIntegers) {
                if (whole < n_rows) integers.take_keys(keys, head, whole);
                each_row_tile<kMost>(whole, n_rows, [&](auto rows, int row) {
                    const int pair = head * n_rows + row;
                    integers.template find_scores<decltype(rows)::value>(pair, s.scores[pair]);
                });
            }
        }
        for (int head = 0; head < n_heads; ++head)
            for (int row = begin; row < n_rows; ++row) move_max(s, head * n_rows + row, seen(row));
        for (int pair = 0; pair < n_pairs; pair += 16) store(s.factor + pair, exp(load(s.factor + pair)));
        for (int head = 0; head < n_heads; ++head)
            for (int row = begin; row < n_rows; ++row) add_powers(s, head * n_rows + row);
        for (int head = 0; head < n_heads; ++head) {
            const std::byte* values = args.v_blocks[tile] + head * tile_bytes;
            each_row_tile<kMost>(begin, whole, [&](auto rows, int row) {
                constexpr int kRows = decltype(rows)::value;
                int n[kRows];
                for (int i = 0; i < kRows; ++i) n[i] = seen(row + i);
                products.template values<kRows>(s, values, head, row, n);
            });
            if constexpr (kUsesIntegers) {
                if (whole < n_rows) integers.take_values(values);
                each_row_tile<kMost>(whole, n_rows, [&](auto rows, int row) {
                    const int pair = head * n_rows + row;
                    integers.template add_values<decltype(rows)::value>(
                        s.scores[pair], s.factor + pair, args.out + row * args.out_stride + head * dim,
                        args.out_stride);
                });
            }
        }
    }
    for (int head = 0; head < n_heads; ++head)
        for (int row = 0; row < n_rows; ++row) {
            const float inverse = 1.0f / s.total[head * n_rows + row];
            float* out = args.out + row * args.out_stride + head * dim;
            for (int d = 0; d < dim; ++d) out[d] *= inverse;
        }
}

void attention(const AttentionArgs& args) {
    switch (args.kv_type) {
        case KvType::f32: attention_of<KvType::f32, false>(args); break;
        case KvType::f16:
            if (args.uses_integers)
                attention_of<KvType::f16, true>(args);
            else
                attention_of<KvType::f16, false>(args);
            break;
        case KvType::q8_0: attention_of<KvType::q8_0, false>(args); break;
    }
}

}  // namespace neox::NEOX_ISA
