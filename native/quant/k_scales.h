// The packed scales of the K types, both ways: where the bits of BlockQ3_K::scales and of BlockQ4_K::scales
// lie.
#pragma once

#include <cstdint>

namespace neox {

// 16 numbers of 6 bits in 12 bytes.
inline void unpack_q3_scales(const std::uint8_t (&packed)[12], std::uint8_t (&scales)[16]) {
    for (int s = 0; s < 16; ++s) {
        const int low = packed[s % 8] >> (4 * (s / 8)) & 15;
        const int high = packed[8 + s % 4] >> (2 * (s / 4)) & 3;
        scales[s] = static_cast<std::uint8_t>(low | high << 4);
    }
}
inline void pack_q3_scales(const std::uint8_t (&scales)[16], std::uint8_t (&packed)[12]) {
    for (std::uint8_t& byte : packed) byte = 0;
    for (int s = 0; s < 16; ++s) {
        packed[s % 8] = static_cast<std::uint8_t>(packed[s % 8] | (scales[s] & 15) << (4 * (s / 8)));
        packed[8 + s % 4] = static_cast<std::uint8_t>(packed[8 + s % 4] | scales[s] >> 4 << (2 * (s / 4)));
    }
}

// 8 scales and 8 minima of 6 bits in 12 bytes.
inline void unpack_q4_scales(const std::uint8_t (&packed)[12], std::uint8_t (&scales)[8],
                             std::uint8_t (&mins)[8]) {
    for (int s = 0; s < 4; ++s) {
        scales[s] = packed[s] & 63;
        mins[s] = packed[s + 4] & 63;
        scales[s + 4] = static_cast<std::uint8_t>((packed[s + 8] & 15) | packed[s] >> 6 << 4);
        mins[s + 4] = static_cast<std::uint8_t>(packed[s + 8] >> 4 | packed[s + 4] >> 6 << 4);
    }
}
inline void pack_q4_scales(const std::uint8_t (&scales)[8], const std::uint8_t (&mins)[8],
                           std::uint8_t (&packed)[12]) {
    for (int s = 0; s < 4; ++s) {
        packed[s] = static_cast<std::uint8_t>(scales[s] | scales[s + 4] >> 4 << 6);
        packed[s + 4] = static_cast<std::uint8_t>(mins[s] | mins[s + 4] >> 4 << 6);
        packed[s + 8] = static_cast<std::uint8_t>((scales[s + 4] & 15) | (mins[s + 4] & 15) << 4);
    }
}

}  // namespace neox
