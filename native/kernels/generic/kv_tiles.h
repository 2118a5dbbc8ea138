// Readers of the tiles of the KV cache, as attention wants them. Included inside a target region; see README.md.
//
// A reader is made of a tile and its head_dim; kGroups > 0 names head_dim / 16 at compile time, the operations being the same.
//   dots: rows[i] becomes the product of q with the key at first + i (at n - 1 from n on) as 16 partial sums, i in [0, 16);
//         first is a multiple of 16.
//   add_values: out = out * factor + sum over positions j below n of p[j] * value j.
// Both take the tile that is read after this one, or nullptr.
#pragma once

#include "kernels/generic/ops.h"

namespace neox::NEOX_ISA {

template <class Element> struct KvElement;
template <> struct KvElement<float> {
    static NEOX_INLINE F32x16 read(const float* p) { return load(p); }
    static NEOX_INLINE F32x16 read_first(const float* p, std::int64_t n) { return load_first(p, n); }
};
template <> struct KvElement<std::uint16_t> {
    static NEOX_INLINE F32x16 read(const std::uint16_t* p) { return load_f16(p); }
    static NEOX_INLINE F32x16 read_first(const std::uint16_t* p, std::int64_t n) {
        return load_f16_first(p, n);
    }
};
template <> struct KvElement<std::int8_t> {
    static NEOX_INLINE F32x16 read(const std::int8_t* p) { return to_f32(load_i8(p)); }
    static NEOX_INLINE F32x16 read_first(const std::int8_t* p, std::int64_t n) {
        std::int8_t lanes[16] = {};
        for (std::int64_t i = 0; i < n; ++i) lanes[i] = p[i];
        return read(lanes);
    }
};

// [64][head_dim] of f32 or f16.
template <class Element, int kGroups> class PlainTile {
public:
    NEOX_INLINE PlainTile(const std::byte* tile, int head_dim)
        : rows_(reinterpret_cast<const Element*>(tile)), head_dim_(head_dim) {}

    NEOX_INLINE void dots(const float* q, int first, int n, F32x16* rows, const std::byte*) const {
        for (int i = 0; i < 16; ++i) {
            const int position = first + i < n ? first + i : n - 1;
            rows[i] = dot(q, rows_ + static_cast<std::int64_t>(position) * head_dim_);
        }
    }

    NEOX_INLINE void add_values(const float* p, int n, F32x16 factor, float* out, const std::byte*) const {
        int d = 0;
        for (; d + 128 <= head_dim_; d += 128) add_groups<8>(p, n, d, factor, out + d);
        for (; d + 64 <= head_dim_; d += 64) add_groups<4>(p, n, d, factor, out + d);
        for (; d + 16 <= head_dim_; d += 16) add_groups<1>(p, n, d, factor, out + d);
        if (d < head_dim_) add_rest(p, n, d, factor, out + d);
    }

private:
    using Read = KvElement<Element>;

    // Each partial sum is sequential over the groups of 16 dimensions.
    NEOX_INLINE F32x16 dot(const float* q, const Element* k) const {
        F32x16 sum = broadcast(0.0f);
        if constexpr (kGroups > 0) {
            NEOX_UNROLL
            for (int g = 0; g < kGroups; ++g) sum = fma(Read::read(k + 16 * g), load(q + 16 * g), sum);
        } else {
            const int whole = head_dim_ / 16 * 16;
            for (int d = 0; d < whole; d += 16) sum = fma(Read::read(k + d), load(q + d), sum);
            if (const int rest = head_dim_ - whole; rest > 0)
                sum = fma(Read::read_first(k + whole, rest), load_first(q + whole, rest), sum);
        }
        return sum;
    }

    template <int kCount>
    NEOX_INLINE void add_groups(const float* p, int n, int d, F32x16 factor, float* out) const {
        F32x16 sum[kCount];
        NEOX_UNROLL
        for (int g = 0; g < kCount; ++g) sum[g] = mul(load(out + 16 * g), factor);
        const Element* v = rows_ + d;
        for (int j = 0; j < n; ++j, v += head_dim_) {
            const F32x16 weight = broadcast(p[j]);
            NEOX_UNROLL
            for (int g = 0; g < kCount; ++g) sum[g] = fma(Read::read(v + 16 * g), weight, sum[g]);
        }
        NEOX_UNROLL
        for (int g = 0; g < kCount; ++g) store(out + 16 * g, sum[g]);
    }

    NEOX_INLINE void add_rest(const float* p, int n, int d, F32x16 factor, float* out) const {
        const int rest = head_dim_ - d;
        F32x16 sum = mul(load_first(out, rest), factor);
        const Element* v = rows_ + d;
        for (int j = 0; j < n; ++j, v += head_dim_)
            sum = fma(Read::read_first(v, rest), broadcast(p[j]), sum);
        store_first(out, rest, sum);
    }

    const Element* rows_;
    int head_dim_;
};

template <int kGroups> using F32Tile = PlainTile<float, kGroups>;
template <int kGroups> using F16Tile = PlainTile<std::uint16_t, kGroups>;

// q8_0: codes [64][head_dim], then scales [ceil(head_dim / 32)][64]. A block's codes are converted to f32, and the scale
// enters once for a block: into the sum of its products for keys, into the position's weight for values.
// The next tile is fetched row by row beside this one: there are too few bytes in flight otherwise, and from memory the
// kernel takes 2.5 times as long. The other types, with more bytes for an instruction, only lose by it.
template <int kGroups> class Q8Tile {
public:
    NEOX_INLINE Q8Tile(const std::byte* tile, int head_dim)
        : codes_(reinterpret_cast<const std::int8_t*>(tile)),
          scales_(reinterpret_cast<const std::uint16_t*>(tile + std::int64_t{kKvBlock} * head_dim)),
          head_dim_(head_dim) {}

    NEOX_INLINE void dots(const float* q, int first, int n, F32x16* rows, const std::byte* next) const {
        if constexpr (kGroups > 0) {
            float scales[kGroups / 2][16];
            NEOX_UNROLL
            for (int b = 0; b < kGroups / 2; ++b) store(scales[b], load_f16(scales_ + b * kKvBlock + first));
            for (int i = 0; i < 16; ++i) {
                const int position = first + i < n ? first + i : n - 1;
                const std::int8_t* k = codes_ + position * head_dim_;
                fetch_row(next, first + i);
                F32x16 sum = broadcast(0.0f);
                NEOX_UNROLL
                for (int b = 0; b < kGroups / 2; ++b)
                    sum = fma(block_dot(q + 32 * b, k + 32 * b), broadcast(scales[b][position - first]), sum);
                rows[i] = sum;
            }
        } else {
            for (int i = 0; i < 16; ++i) {
                rows[i] = broadcast(0.0f);
                fetch_row(next, first + i);
            }
            const std::uint16_t* half = scales_ + first;
            for (int d = 0; d < head_dim_; d += 32, half += kKvBlock) {
                float scales[16];
                store(scales, load_f16(half));
                const int left = head_dim_ - d;
                for (int i = 0; i < 16; ++i) {
                    const int position = first + i < n ? first + i : n - 1;
                    const std::int8_t* k = codes_ + std::int64_t{position} * head_dim_ + d;
                    const F32x16 dot = left < 32 ? block_dot_first(q + d, k, left) : block_dot(q + d, k);
                    rows[i] = fma(dot, broadcast(scales[position - first]), rows[i]);
                }
            }
        }
    }

    NEOX_INLINE void add_values(const float* p, int n, F32x16 factor, float* out,
                                const std::byte* next) const {
        int d = 0;
        for (; d + 128 <= head_dim_; d += 128, next = nullptr) add_blocks<4>(p, n, d, factor, out + d, next);
        for (; d + 64 <= head_dim_; d += 64, next = nullptr) add_blocks<2>(p, n, d, factor, out + d, next);
        for (; d + 32 <= head_dim_; d += 32, next = nullptr) add_blocks<1>(p, n, d, factor, out + d, next);
        if (d < head_dim_) add_rest(p, n, d, factor, out + d);
    }

private:
    using Read = KvElement<std::int8_t>;

    // The 64th part of a tile that belongs to a position, rows and scales taken as one.
    NEOX_INLINE void fetch_row(const std::byte* tile, int position) const {
        if (!tile) return;
        const int bytes = static_cast<int>(kv_tile_bytes(KvType::q8_0, head_dim_) / kKvBlock);
        for (int i = 0; i < bytes; i += 64) prefetch(tile + std::int64_t{position} * bytes + i);
    }

    static NEOX_INLINE F32x16 block_dot(const float* q, const std::int8_t* k) {
        return fma(Read::read(k + 16), load(q + 16), mul(Read::read(k), load(q)));
    }
    static NEOX_INLINE F32x16 block_dot_first(const float* q, const std::int8_t* k, int n) {
        if (n <= 16) return mul(Read::read_first(k, n), load_first(q, n));
        return fma(Read::read_first(k + 16, n - 16), load_first(q + 16, n - 16), mul(Read::read(k), load(q)));
    }

    // weights[j] = p[j] * the scale at position j of the block that begins with dimension d. Those from n on mean nothing.
    NEOX_INLINE void scale_weights(const float* p, int d, float* weights) const {
        const std::uint16_t* half = scales_ + std::int64_t{d} / 32 * kKvBlock;
        NEOX_UNROLL
        for (int j = 0; j < kKvBlock; j += 16) store(weights + j, mul(load(p + j), load_f16(half + j)));
    }

    template <int kBlocks>
    NEOX_INLINE void add_blocks(const float* p, int n, int d, F32x16 factor, float* out,
                                const std::byte* next) const {
        float weights[kBlocks][kKvBlock];
        F32x16 sum[2 * kBlocks];
        NEOX_UNROLL
        for (int b = 0; b < kBlocks; ++b) scale_weights(p, d + 32 * b, weights[b]);
        NEOX_UNROLL
        for (int g = 0; g < 2 * kBlocks; ++g) sum[g] = mul(load(out + 16 * g), factor);
        const std::int8_t* v = codes_ + d;
        for (int j = 0; j < n; ++j, v += head_dim_) {
            fetch_row(next, j);
            NEOX_UNROLL
            for (int g = 0; g < 2 * kBlocks; ++g)
                sum[g] = fma(Read::read(v + 16 * g), broadcast(weights[g / 2][j]), sum[g]);
        }
        NEOX_UNROLL
        for (int g = 0; g < 2 * kBlocks; ++g) store(out + 16 * g, sum[g]);
    }

    NEOX_INLINE void add_rest(const float* p, int n, int d, F32x16 factor, float* out) const {
        float weights[kKvBlock];
        scale_weights(p, d, weights);
        for (; d < head_dim_; d += 16, out += 16) {
            const int rest = head_dim_ - d < 16 ? head_dim_ - d : 16;
            F32x16 sum = mul(load_first(out, rest), factor);
            const std::int8_t* v = codes_ + d;
            for (int j = 0; j < n; ++j, v += head_dim_)
                sum = fma(Read::read_first(v, rest), broadcast(weights[j]), sum);
            store_first(out, rest, sum);
        }
    }

    const std::int8_t* codes_;
    const std::uint16_t* scales_;
    int head_dim_;
};

}  // namespace neox::NEOX_ISA
