// Tiles of the KV memory inside kernels.
#pragma once

#include "cuda/device.cuh"
#include "cuda/kv.h"

namespace neox::cuda {

// Named as kernels want them.
inline constexpr int kTilePositions = kKvBlock;
enum class Side : int { keys = 0, values = 1 };

NEOX_DEVICE std::byte* kv_tile(const KvView& kv, std::int32_t block, Side side, int head) {
    const std::int64_t at = (std::int64_t{block} * 2 + static_cast<int>(side)) * kv.n_head + head;
    return kv.memory + at * kv.tile_bytes;
}

// Elements in 16 bytes, and how they become f32. Codes of q8_0 come without their scale.
template <KvType type> struct KvChunk;
template <> struct KvChunk<KvType::f32> {
    static constexpr int kSize = 4;
    static NEOX_DEVICE void unpack(const Words4& words, float (&x)[4]) {
        NEOX_UNROLL
        for (int i = 0; i < 4; ++i) x[i] = float_of_bits(words.x[i]);
    }
};
template <> struct KvChunk<KvType::f16> {
    static constexpr int kSize = 8;
    static NEOX_DEVICE void unpack(const Words4& words, float (&x)[8]) {
        NEOX_UNROLL
        for (int i = 0; i < 4; ++i) {
            x[2 * i] = first_f16(words.x[i]);
            x[2 * i + 1] = second_f16(words.x[i]);
        }
    }
};
template <> struct KvChunk<KvType::q8_0> {
    static constexpr int kSize = 16;
    // The bits of 2^23 + code are 0x4b0000cc: one permutation and one subtraction for each.
    static NEOX_DEVICE void unpack(const Words4& words, float (&x)[16]) {
        NEOX_UNROLL
        for (int i = 0; i < 16; ++i)
            x[i] = float_of_bits(
                       permute_bytes(words.x[i / 4], 0x4b000000u, 0x7540u + static_cast<unsigned>(i % 4))) -
                   8388736.0f;
    }
};

// The scale of the chunk that begins at dimension d of a position; 1 where there are none.
template <KvType type>
NEOX_DEVICE float kv_scale(const KvView& kv, const std::byte* tile, int position, int d) {
    if constexpr (type != KvType::q8_0) return 1.0f;
    const auto* scales = reinterpret_cast<const std::uint16_t*>(tile + kTilePositions * kv.dim);
    return f16_to_float(scales[position * kv.n_scales + d / 32]);
}

// Writes value(d), f32, for all dimensions of one position. A whole warp; value(d) is asked for d < head_dim.
template <KvType type, class Value>
NEOX_DEVICE void store_position(const KvView& kv, std::byte* tile, int position, Value&& value) {
    for (int first = 0; first < kv.dim; first += 32) {
        const int d = first + lane();
        const float x = d < kv.head_dim ? value(d) : 0.0f;
        const int at = position * kv.dim + d;
        if constexpr (type == KvType::f32) {
            if (d < kv.dim) reinterpret_cast<float*>(tile)[at] = x;
        } else if constexpr (type == KvType::f16) {
            if (d < kv.dim) reinterpret_cast<std::uint16_t*>(tile)[at] = float_to_f16(x);
        } else {
            // As kernels/generic/kv_rows.h has it: magnitudes compare as integers, where a NaN is the largest, and codes
            // are found by the scale as it is stored.
            std::uint32_t largest = bits_of_float(x) & 0x7fffffffu;
            NEOX_UNROLL
            for (int mask = 16; mask > 0; mask /= 2) {
                const std::uint32_t other = shuffle_xor(largest, mask);
                largest = other > largest ? other : largest;
            }
            const std::uint16_t scale = float_to_f16(float_of_bits(largest) / 127.0f);
            const float rounded = f16_to_float(scale);
            const float factor = 1.0f / (rounded > 0.0f ? rounded : 1.0f);
            float code = x * factor;
            code = code < 127.0f ? code : 127.0f;  // a NaN as well
            code = code > -127.0f ? code : -127.0f;
            // Adding 1.5 * 2^23 leaves the nearest integer in the low bits, ties to even.
            const auto integer = static_cast<std::uint8_t>(bits_of_float(code + 12583040.0f));
            if (d < kv.dim) reinterpret_cast<std::uint8_t*>(tile)[at] = integer;
            auto* scales = reinterpret_cast<std::uint16_t*>(tile + kTilePositions * kv.dim);
            if (lane() == 0) scales[position * kv.n_scales + first / 32] = scale;
        }
    }
}

// The value of dimension d of one position.
template <KvType type>
NEOX_DEVICE float load_element(const KvView& kv, const std::byte* tile, int position, int d) {
    const int at = position * kv.dim + d;
    if constexpr (type == KvType::f32) {
        return reinterpret_cast<const float*>(tile)[at];
    } else if constexpr (type == KvType::f16) {
        return f16_to_float(reinterpret_cast<const std::uint16_t*>(tile)[at]);
    } else {
        const int code = static_cast<int>(reinterpret_cast<const std::uint8_t*>(tile)[at]) - 128;
        return kv_scale<type>(kv, tile, position, d) * static_cast<float>(code);
    }
}

}  // namespace neox::cuda
