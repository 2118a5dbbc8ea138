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

void store_kv(KvType type, const float* src, int head_dim, std::byte* tile, int position) {
    const std::int64_t first = static_cast<std::int64_t>(position) * head_dim;
    switch (type) {
        case KvType::f32: std::memcpy(tile + 4 * first, src, static_cast<std::size_t>(head_dim) * 4); break;
        case KvType::f16:
            f32_to_f16_row(src, head_dim, reinterpret_cast<std::uint16_t*>(tile) + first);
            break;
    }
}

void load_kv(KvType type, const std::byte* tile, int position, int head_dim, float* dst) {
    const std::int64_t first = static_cast<std::int64_t>(position) * head_dim;
    switch (type) {
        case KvType::f32: std::memcpy(dst, tile + 4 * first, static_cast<std::size_t>(head_dim) * 4); break;
        case KvType::f16:
            f16_to_f32_row(reinterpret_cast<const std::uint16_t*>(tile) + first, head_dim, dst);
            break;
    }
}

}  // namespace neox::NEOX_ISA
