// Rows of the KV cache, written and read. Included inside a target region; see README.md.
#pragma once

#include "kernels/generic/ops.h"

namespace neox::NEOX_ISA {

NEOX_INLINE void f32_to_f16_row(const float* src, std::int64_t n, std::uint16_t* dst) {
    const std::int64_t whole = n / 16 * 16, rest = n - whole;
    for (std::int64_t i = 0; i < whole; i += 16) store_f16(dst + i, load(src + i));
    if (rest == 0) return;
    std::uint16_t lanes[16];
    store_f16(lanes, load_first(src + whole, rest));
    for (std::int64_t i = 0; i < rest; ++i) dst[whole + i] = lanes[i];
}

NEOX_INLINE void f16_to_f32_row(const std::uint16_t* src, std::int64_t n, float* dst) {
    const std::int64_t whole = n / 16 * 16, rest = n - whole;
    for (std::int64_t i = 0; i < whole; i += 16) store(dst + i, load_f16(src + i));
    if (rest > 0) store_first(dst + whole, rest, load_f16_first(src + whole, rest));
}

// Where a position's elements lie in a tile: the first of them, and how far each is from the one before.
struct KvPlace {
    std::int64_t first, step;
};
NEOX_INLINE KvPlace kv_place(KvSide side, int head_dim, int position) {
    if (side == KvSide::keys) return {position, kKvBlock};
    return {std::int64_t{position} * head_dim, 1};
}

// Rows of n elements to a place and from it.
template <class Element>
NEOX_INLINE void put_row(const Element* row, int n, KvPlace place, Element* elements) {
    for (int i = 0; i < n; ++i) elements[place.first + i * place.step] = row[i];
}
template <class Element>
NEOX_INLINE void take_row(const Element* elements, int n, KvPlace place, Element* row) {
    for (int i = 0; i < n; ++i) row[i] = elements[place.first + i * place.step];
}

// 32 dimensions of one position, or the `n` that are left, and their scale. Codes are found by the scale as it is stored,
// so that its own rounding costs nothing, and a row that was read is stored as it was.
NEOX_INLINE void store_kv_block(const float* src, int n, std::int8_t* codes, std::uint16_t* scale) {
    const F32x16 a = n < 16 ? load_first(src, n) : load(src);
    const F32x16 b = n <= 16 ? broadcast(0.0f) : n < 32 ? load_first(src + 16, n - 16) : load(src + 16);
    // Magnitudes compare as integers, where a NaN is the largest.
    const F32x16 largest = f32_of_bits(broadcast(reduce_max(max(bits_of(abs(a)), bits_of(abs(b))))));
    std::uint16_t halves[16];
    store_f16(halves, div(largest, broadcast(127.0f)));
    *scale = halves[0];
    const F32x16 half =
        load_f16(halves);  // zero for magnitudes below 4e-6, whose codes are then zero as well
    const F32x16 factor = div(broadcast(1.0f), select_less(broadcast(0.0f), half, half, broadcast(1.0f)));
    const I32x16 top = broadcast(127), bottom = broadcast(-127);
    std::int8_t lanes[32];
    store_i8(lanes, max(bottom, min(top, round_to_i32(mul(a, factor)))));
    store_i8(lanes + 16, max(bottom, min(top, round_to_i32(mul(b, factor)))));
    std::memcpy(codes, lanes, static_cast<std::size_t>(n));
}

// The code of dimension d of a position in a tile of q8_0.
NEOX_INLINE std::int64_t kv_code_at(KvSide side, int head_dim, int position, int d) {
    const std::int64_t codes = kv_scale_bytes(head_dim);
    if (side == KvSide::keys) return codes + d / 4 * 4 * kKvBlock + position * 4 + d % 4;
    return codes + kv_code_bytes(head_dim) / 16 * (position / 4) + d * 4 + position % 4;
}

NEOX_INLINE void store_q8_row(KvSide side, const float* src, int head_dim, std::byte* tile, int position) {
    std::uint16_t* scale = reinterpret_cast<std::uint16_t*>(tile) + position;
    for (int d = 0; d < head_dim; d += kQuantBlock, scale += kKvBlock) {
        const int n = head_dim - d < kQuantBlock ? head_dim - d : kQuantBlock;
        std::int8_t row[kQuantBlock];
        store_kv_block(src + d, n, row, scale);
        for (int i = 0; i < n; ++i)
            tile[kv_code_at(side, head_dim, position, d + i)] = static_cast<std::byte>(row[i] + 128);
    }
}

NEOX_INLINE void load_q8_row(KvSide side, const std::byte* tile, int position, int head_dim, float* dst) {
    const std::uint16_t* scale = reinterpret_cast<const std::uint16_t*>(tile) + position;
    for (int d = 0; d < head_dim; d += kQuantBlock, scale += kKvBlock) {
        float scales[16];
        store(scales, load_f16_first(scale, 1));
        for (int i = d; i < head_dim && i < d + kQuantBlock; ++i)
            dst[i] =
                scales[0] *
                static_cast<float>(std::to_integer<int>(tile[kv_code_at(side, head_dim, position, i)]) - 128);
    }
}

void store_kv(KvType type, KvSide side, const float* src, int head_dim, std::byte* tile, int position) {
    const KvPlace place = kv_place(side, head_dim, position);
    if (type == KvType::q8_0) {
        store_q8_row(side, src, head_dim, tile, position);
    } else if (type == KvType::f32) {
        put_row(src, head_dim, place, reinterpret_cast<float*>(tile));
    } else if (side == KvSide::values) {
        f32_to_f16_row(src, head_dim, reinterpret_cast<std::uint16_t*>(tile) + place.first);
    } else {
        std::uint16_t* elements = reinterpret_cast<std::uint16_t*>(tile);
        for (int d = 0; d < head_dim; d += 16) {
            const int n = head_dim - d < 16 ? head_dim - d : 16;
            std::uint16_t row[16];
            store_f16(row, n < 16 ? load_first(src + d, n) : load(src + d));
            put_row(row, n, {place.first + d * place.step, place.step}, elements);
        }
    }
}

void load_kv(KvType type, KvSide side, const std::byte* tile, int position, int head_dim, float* dst) {
    const KvPlace place = kv_place(side, head_dim, position);
    if (type == KvType::q8_0) {
        load_q8_row(side, tile, position, head_dim, dst);
    } else if (type == KvType::f32) {
        take_row(reinterpret_cast<const float*>(tile), head_dim, place, dst);
    } else if (side == KvSide::values) {
        f16_to_f32_row(reinterpret_cast<const std::uint16_t*>(tile) + place.first, head_dim, dst);
    } else {
        const std::uint16_t* elements = reinterpret_cast<const std::uint16_t*>(tile);
        for (int d = 0; d < head_dim; d += 16) {
            const int n = head_dim - d < 16 ? head_dim - d : 16;
            std::uint16_t row[16] = {};
            take_row(elements, n, {place.first + d * place.step, place.step}, row);
            store_first(dst + d, n, load_f16(row));
        }
    }
}

}  // namespace neox::NEOX_ISA
