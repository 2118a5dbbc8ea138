// The packed scales of the K types, both ways: where the bits of BlockQ3_K::scales and of BlockQ4_K::scales
// lie.
#pragma once

#include <cstdint>
#include <cstring>

namespace neox {

// 16 numbers of 6 bits in 12 bytes, little-endian words of four bytes on both sides: a Word is a std::uint32_t, or
// several side by side with the same operators.
template <class Word> void unpack_q3_scale_words(const Word (&packed)[3], Word (&scales)[4]) {
    for (int i = 0; i < 4; ++i)
        scales[i] = (packed[i % 2] >> (4 * (i / 2)) & 0x0f0f0f0fu) | (packed[2] >> (2 * i) & 0x03030303u)
                                                                         << 4;
}
inline void unpack_q3_scales(const std::uint8_t (&packed)[12], std::uint8_t (&scales)[16]) {
    std::uint32_t from[3], to[4];
    std::memcpy(from, packed, sizeof(packed));
    unpack_q3_scale_words(from, to);
    std::memcpy(scales, to, sizeof(scales));
}
inline void pack_q3_scales(const std::uint8_t (&scales)[16], std::uint8_t (&packed)[12]) {
    for (std::uint8_t& byte : packed) byte = 0;
    for (int s = 0; s < 16; ++s) {
        packed[s % 8] = static_cast<std::uint8_t>(packed[s % 8] | (scales[s] & 15) << (4 * (s / 8)));
        packed[8 + s % 4] = static_cast<std::uint8_t>(packed[8 + s % 4] | scales[s] >> 4 << (2 * (s / 4)));
    }
}

// 8 scales and 8 minima of 6 bits in 12 bytes, likewise.
template <class Word>
void unpack_q4_scale_words(const Word (&packed)[3], Word (&scales)[2], Word (&mins)[2]) {
    scales[0] = packed[0] & 0x3f3f3f3fu;
    mins[0] = packed[1] & 0x3f3f3f3fu;
    scales[1] = (packed[2] & 0x0f0f0f0fu) | (packed[0] >> 6 & 0x03030303u) << 4;
    mins[1] = (packed[2] >> 4 & 0x0f0f0f0fu) | (packed[1] >> 6 & 0x03030303u) << 4;
}
inline void unpack_q4_scales(const std::uint8_t (&packed)[12], std::uint8_t (&scales)[8],
                             std::uint8_t (&mins)[8]) {
    std::uint32_t from[3], to[2], to_mins[2];
    std::memcpy(from, packed, sizeof(packed));
    unpack_q4_scale_words(from, to, to_mins);
    std::memcpy(scales, to, sizeof(scales));
    std::memcpy(mins, to_mins, sizeof(mins));
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
