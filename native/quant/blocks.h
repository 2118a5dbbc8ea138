// The block layouts of GGUF's quantized types, byte for byte. A row is a sequence of blocks; little endian.
#pragma once

#include <cstdint>

namespace neox {

inline constexpr int kQ4_0BlockLength = 32;
inline constexpr int kQ8_0BlockLength = 32;

// x[j] = d * ((qs[j] & 15) - 8), x[j + 16] = d * ((qs[j] >> 4) - 8) for j in [0, 16).
struct BlockQ4_0 {
    std::uint16_t d;  // scale, f16
    std::uint8_t qs[kQ4_0BlockLength / 2];
};
static_assert(sizeof(BlockQ4_0) == 2 + kQ4_0BlockLength / 2);

// x[j] = d * qs[j].
struct BlockQ8_0 {
    std::uint16_t d;  // scale, f16
    std::int8_t qs[kQ8_0BlockLength];
};
static_assert(sizeof(BlockQ8_0) == 2 + kQ8_0BlockLength);

}  // namespace neox
