// The block layouts of GGUF's quantized types, byte for byte (ggml's ggml-common.h). A row is a sequence of
// blocks; little endian. f16 numbers are held as their bits.
#pragma once

#include <cstdint>

namespace neox {

inline constexpr int kSmallBlockLength = 32;   // Q4_0 to Q8_0, IQ4_NL
inline constexpr int kSuperBlockLength = 256;  // the K types

// x[j] = d * ((qs[j] & 15) - 8), x[j + 16] = d * ((qs[j] >> 4) - 8) for j in [0, 16).
struct BlockQ4_0 {
    std::uint16_t d;  // scale, f16
    std::uint8_t qs[16];
};
static_assert(sizeof(BlockQ4_0) == 18);

// x[j] = d * (qs[j] & 15) + m, x[j + 16] = d * (qs[j] >> 4) + m.
struct BlockQ4_1 {
    std::uint16_t d;  // scale, f16
    std::uint16_t m;  // smallest value, f16
    std::uint8_t qs[16];
};
static_assert(sizeof(BlockQ4_1) == 20);

// x[j] = d * (q[j] - 16); q's low 4 bits as in Q4_0, its fifth is bit j of qh as one little-endian number.
struct BlockQ5_0 {
    std::uint16_t d;  // scale, f16
    std::uint8_t qh[4];
    std::uint8_t qs[16];
};
static_assert(sizeof(BlockQ5_0) == 22);

// x[j] = d * q[j] + m, q as in Q5_0.
struct BlockQ5_1 {
    std::uint16_t d;  // scale, f16
    std::uint16_t m;  // smallest value, f16
    std::uint8_t qh[4];
    std::uint8_t qs[16];
};
static_assert(sizeof(BlockQ5_1) == 24);

// x[j] = d * qs[j].
struct BlockQ8_0 {
    std::uint16_t d;  // scale, f16
    std::int8_t qs[32];
};
static_assert(sizeof(BlockQ8_0) == 34);

// x[j] = d * kIq4Values[q[j]], q as in Q4_0.
struct BlockIQ4_NL {
    std::uint16_t d;  // scale, f16
    std::uint8_t qs[16];
};
static_assert(sizeof(BlockIQ4_NL) == 18);
inline constexpr std::int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};

// 16 sub-blocks of 16: x = d * (scales[s] & 15) * q - dmin * (scales[s] >> 4), s = i / 16. The two bits of
// q[i]: i = 128 half + 32 part + l: bits 2 part, 2 part + 1 of qs[32 half + l].
struct BlockQ2_K {
    std::uint8_t scales[16];
    std::uint8_t qs[64];
    std::uint16_t d;     // scale of the scales, f16
    std::uint16_t dmin;  // scale of the minima, f16
};
static_assert(sizeof(BlockQ2_K) == 84);

// 16 sub-blocks of 16: x = d * (scale - 32) * (low + 4 high - 4). `low` as q of Q2_K; high[i] is bit i / 32
// of hmask[i % 32]. Scale s of 6 bits: its low 4 are nibble s / 8 of scales[s % 8], its high 2 are bits 2 (s
// / 4), 2 (s / 4) + 1 of scales[8 + s % 4].
struct BlockQ3_K {
    std::uint8_t hmask[32];
    std::uint8_t qs[64];
    std::uint8_t scales[12];
    std::uint16_t d;  // scale of the scales, f16
};
static_assert(sizeof(BlockQ3_K) == 110);

// 8 sub-blocks of 32: x = d * scale * q - dmin * min. Nibbles: i = 64 part + l: low one of qs[32 part + l],
// and i = 64 part + 32 + l: its high one. Scale and min s of 6 bits: for s < 4 scales[s] & 63 and scales[s +
// 4] & 63; else their low 4 bits are the nibbles of scales[s + 4], the high 2 the top bits of scales[s - 4]
// and scales[s].
struct BlockQ4_K {
    std::uint16_t d;     // scale of the scales, f16
    std::uint16_t dmin;  // scale of the minima, f16
    std::uint8_t scales[12];
    std::uint8_t qs[128];
};
static_assert(sizeof(BlockQ4_K) == 144);

// Q4_K with a fifth bit: bit i / 32 of qh[i % 32].
struct BlockQ5_K {
    std::uint16_t d;     // scale of the scales, f16
    std::uint16_t dmin;  // scale of the minima, f16
    std::uint8_t scales[12];
    std::uint8_t qh[32];
    std::uint8_t qs[128];
};
static_assert(sizeof(BlockQ5_K) == 176);

// 16 sub-blocks of 16: x = d * scales[i / 16] * (q - 32). i = 128 half + 32 part + l: the low 4 bits are
// nibble part / 2 of ql[64 half + 32 (part % 2) + l], the high 2 are bits 2 part, 2 part + 1 of qh[32 half +
// l].
struct BlockQ6_K {
    std::uint8_t ql[128];
    std::uint8_t qh[64];
    std::int8_t scales[16];
    std::uint16_t d;  // scale of the scales, f16
};
static_assert(sizeof(BlockQ6_K) == 210);

}  // namespace neox
