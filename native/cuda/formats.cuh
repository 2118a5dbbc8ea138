// A group of 32 weights from the planes of a matrix (cuda/planes.h) into registers, and out of them as numbers.
//
//   const Group<t> group = load_group<t>(matrix, row, index);        a few loads, no branches
//   unpack(group, w)          float w[32], equal to quant/dequantize's bit for bit
//   unpack_half2(group, w)    16 pairs of f16, column 2 j in the low half of w[j]. Types with one scale d, and F16: rounded once.
//                             Types with a minimum or 6-bit scales: the minimum and the product of code and scale may be
//                             rounded before, so w is off by less than 2^-10 (|w| + |minimum|), 2^-24 for small ones.
//                             Numbers beyond 65504 (F32, BF16) become infinite.
// What a product may take instead, for types that have codes (kHasCodes<t>), to scale sums rather than weights:
//   unpack_codes(group, q)    16 pairs of f16: the codes as integers, offsets taken off, exactly
//   scales_of(group)          float scale[2], min[2] of columns 0 to 15 and 16 to 31, with w = scale q - min, exactly up to the
//                             rounding of the difference. kHasMin<t>: whether min is not always 0; kHasTwoScales<t>: whether
//                             the second of each differs from the first.
//
// A kernel that stages codes in shared memory copies the pieces code_piece() of 16 bytes there, and fills Group::codes from them;
// load_scales() loads the rest of a group.
#pragma once

#include "cuda/device.cuh"
#include "cuda/planes.h"

namespace neox::cuda {

template <DType t> inline constexpr int kChunkCodeBytes = plane_bytes(t).codes;
template <DType t> inline constexpr int kCodeWords = kChunkCodeBytes<t> / (4 * kChunkGroups);
template <DType t> inline constexpr int kHighWords = plane_bytes(t).high / (4 * kChunkGroups);
template <DType t> inline constexpr int kScaleBytes = plane_bytes(t).scales / kChunkGroups;
template <DType t> inline constexpr int kSuperBytes = plane_bytes(t).supers;
// Loads of 16 bytes, or one of 8, that a group's codes take.
template <DType t> inline constexpr int kCodeParts = (kCodeWords<t> + 3) / 4;
template <DType t> inline constexpr bool kHasCodes = kScaleBytes<t> > 0;
template <DType t>
inline constexpr bool kHasMin =
    t == DType::Q4_1 || t == DType::Q5_1 || t == DType::Q2_K || t == DType::Q4_K || t == DType::Q5_K;
template <DType t>
inline constexpr bool kHasTwoScales = t == DType::Q2_K || t == DType::Q3_K || t == DType::Q6_K;

template <DType t> struct Group {
    std::uint32_t codes[kCodeWords<t>];
    std::uint32_t high[kHighWords<t> > 0 ? kHighWords<t> : 1];  // the words of the planes; 0 without one
    std::uint32_t scale;
    std::uint32_t super;
};

// Codes as w = scale q - min; [0] for columns 0 to 15, [1] for 16 to 31.
struct Scales {
    float scale[2];
    float min[2];
};

// --- Loading. `chunk` is row * row_chunks + index / 8 of a group, `place` is index % 8.

// Part `part` of the codes of a group: 16 bytes, for types with that many.
template <DType t>
NEOX_DEVICE const std::byte* code_piece(const MatrixView& m, std::int32_t chunk, int place, int part) {
    static_assert(kCodeWords<t> >= 4);
    return m.codes + static_cast<std::int64_t>(chunk) * kChunkCodeBytes<t> + part * 128 + place * 16;
}

template <DType t>
NEOX_DEVICE void load_codes(const MatrixView& m, std::int32_t chunk, int place, Group<t>& group) {
    if constexpr (kCodeWords<t> < 4) {
        const Words2 words = load_8(m.codes + static_cast<std::int64_t>(chunk) * 64 + place * 8);
        group.codes[0] = words.x[0];
        group.codes[1] = words.x[1];
    } else {
        NEOX_UNROLL
        for (int part = 0; part < kCodeParts<t>; ++part) {
            const Words4 words = load_16(code_piece<t>(m, chunk, place, part));
            NEOX_UNROLL
            for (int i = 0; i < 4; ++i) group.codes[4 * part + i] = words.x[i];
        }
    }
}

// All but the codes.
template <DType t>
NEOX_DEVICE void load_scales(const MatrixView& m, std::int32_t chunk, int place, Group<t>& group) {
    group.high[0] = group.scale = group.super = 0;
    const std::int64_t index = static_cast<std::int64_t>(chunk) * kChunkGroups + place;
    if constexpr (kHighWords<t> == 1) group.high[0] = load_4(m.high + index * 4);
    if constexpr (kHighWords<t> == 2) {
        const Words2 words = load_8(m.high + index * 8);
        group.high[0] = words.x[0];
        group.high[1] = words.x[1];
    }
    if constexpr (kScaleBytes<t> == 2) group.scale = load_2(m.scales + index * 2);
    if constexpr (kScaleBytes<t> == 4) group.scale = load_4(m.scales + index * 4);
    if constexpr (kSuperBytes<t> == 2) group.super = load_2(m.supers + static_cast<std::int64_t>(chunk) * 2);
    if constexpr (kSuperBytes<t> == 4) group.super = load_4(m.supers + static_cast<std::int64_t>(chunk) * 4);
}

// Group `index` of a row: columns 32 index and on.
template <DType t>
NEOX_DEVICE Group<t> load_group(const MatrixView& m, std::int32_t row, std::int32_t index) {
    const std::int32_t chunk = row * m.row_chunks + index / kChunkGroups;
    const int place = index % kChunkGroups;
    Group<t> group;
    load_codes(m, chunk, place, group);
    load_scales(m, chunk, place, group);
    return group;
}

// --- Codes. An integer n below 1024 that is or-ed into the low bits of 0x6400 makes the f16 number 1024 + n; shifted left by 4 it
// makes 1024 + 16 n, so that one operation on a pair takes the offset off, exactly.

NEOX_DEVICE constexpr std::uint32_t twice(std::uint32_t half) { return half << 16 | half; }
inline constexpr int kAndOr = 0xea;  // (a & b) | c for select_bits

template <int offset> NEOX_DEVICE std::uint32_t take_off(std::uint32_t pair) {  // 1024 + n -> n - offset
    return sub_f16(pair, twice(0x6400u + offset));
}
template <int offset>
NEOX_DEVICE std::uint32_t take_off_16(std::uint32_t pair) {  // 1024 + 16 n -> n - offset
    return fma_f16(pair, twice(0x2c00u), twice(0xd400u + 16 * offset));
}

// Where 4-bit codes have high bits: `bits` of them at the lowest place of each half; the rotation of the m-th two pairs.
template <int bits> NEOX_DEVICE std::uint32_t high_of(const std::uint32_t* high, int m) {
    if constexpr (bits == 1)
        return rotate_right(high[0], m % 4 + 8 * (m / 4));
    else
        return rotate_right(high[m / 4], 2 * (m % 2) + 8 * (m % 4 / 2));
}

template <int bits, int offset>
NEOX_DEVICE void codes_of_nibbles(const std::uint32_t (&codes)[4], const std::uint32_t* high,
                                  std::uint32_t (&q)[16]) {
    constexpr std::uint32_t kHigh = bits == 1 ? 0x0010u : 0x0030u;
    NEOX_UNROLL
    for (int m = 0; m < 8; ++m) {
        const std::uint32_t word = codes[m / 2] >> 8 * (m % 2);
        std::uint32_t even = select_bits<kAndOr>(word, twice(0x000fu), twice(0x6400u));
        std::uint32_t odd = select_bits<kAndOr>(word, twice(0x00f0u), twice(0x6400u));
        if constexpr (bits > 0) {
            const std::uint32_t above = high_of<bits>(high, m);
            even = select_bits<kAndOr>(above, twice(kHigh), even);
            odd = select_bits<kAndOr>(above, twice(kHigh << 4), odd);
        }
        q[2 * m] = take_off<offset>(even);
        q[2 * m + 1] = take_off_16<offset>(odd);
    }
}

template <int bits, int offset>
NEOX_DEVICE void codes_of_two_bits(const std::uint32_t (&codes)[2], const std::uint32_t* high,
                                   std::uint32_t (&q)[16]) {
    NEOX_UNROLL
    for (int j = 0; j < 16; ++j) {
        std::uint32_t pair = select_bits<kAndOr>(codes[j / 8] >> 2 * (j % 8), twice(0x0003u), twice(0x6400u));
        if constexpr (bits > 0) pair = select_bits<kAndOr>(rotate_right(high[0], j), twice(0x0004u), pair);
        q[j] = take_off<offset>(pair);
    }
}

// Bytes q + 128 as pairs.
NEOX_DEVICE void codes_of_bytes(std::uint32_t word, std::uint32_t& first, std::uint32_t& second) {
    first = take_off<128>(permute_bytes(word, 0x64646464u, 0x4140u));
    second = take_off<128>(permute_bytes(word, 0x64646464u, 0x4342u));
}

// kIq4Values + 128 of the four nibbles in the low half of `word`, a byte each.
NEOX_DEVICE std::uint32_t iq4_values(std::uint32_t word) {
    const std::uint32_t place = word & 0x7777u;
    const std::uint32_t small = permute_bytes(0x3f2d1801u, 0x766a5d4fu, place);
    const std::uint32_t large = permute_bytes(0xa6998d81u, 0xf1d9c5b5u, place);
    return permute_bytes(small, large, (word >> 1 & 0x4444u) | 0x3210u);
}

template <DType t> NEOX_DEVICE void unpack_codes(const Group<t>& group, std::uint32_t (&q)[16]) {
    static_assert(kHasCodes<t>);
    if constexpr (t == DType::Q8_0) {
        NEOX_UNROLL
        for (int i = 0; i < 8; ++i) codes_of_bytes(group.codes[i], q[2 * i], q[2 * i + 1]);
    } else if constexpr (t == DType::IQ4_NL) {
        NEOX_UNROLL
        for (int i = 0; i < 8; ++i)
            codes_of_bytes(iq4_values(group.codes[i / 2] >> 16 * (i % 2)), q[2 * i], q[2 * i + 1]);
    } else if constexpr (t == DType::Q2_K) {
        codes_of_two_bits<0, 0>(group.codes, group.high, q);
    } else if constexpr (t == DType::Q3_K) {
        codes_of_two_bits<1, 4>(group.codes, group.high, q);
    } else if constexpr (t == DType::Q4_0) {
        codes_of_nibbles<0, 8>(group.codes, group.high, q);
    } else if constexpr (t == DType::Q5_0) {
        codes_of_nibbles<1, 16>(group.codes, group.high, q);
    } else if constexpr (t == DType::Q6_K) {
        codes_of_nibbles<2, 32>(group.codes, group.high, q);
    } else {
        codes_of_nibbles<kHighWords<t>, 0>(group.codes, group.high, q);
    }
}

// --- Scales.

// The integers of a group's scale word as pairs of f16: {scale, scale} of its halves, and likewise the minima.
struct IntegerScales {
    std::uint32_t scale, min;
};
template <DType t> NEOX_DEVICE IntegerScales integer_scales(const Group<t>& group) {
    static_assert(kSuperBytes<t> > 0);
    if constexpr (t == DType::Q2_K) {
        return {take_off<0>(permute_bytes(group.scale & 0x0f0fu, 0x64646464u, 0x4140u)),
                take_off<0>(permute_bytes(group.scale >> 4 & 0x0f0fu, 0x64646464u, 0x4140u))};
    } else if constexpr (kHasTwoScales<t>) {
        return {take_off<128>(permute_bytes(group.scale, 0x64646464u, 0x4140u)), 0};
    } else {
        return {take_off<0>(permute_bytes(group.scale, 0x64646464u, 0x4040u)),
                take_off<0>(permute_bytes(group.scale, 0x64646464u, 0x4141u))};
    }
}

template <DType t> NEOX_DEVICE Scales scales_of(const Group<t>& group) {
    static_assert(kHasCodes<t>);
    if constexpr (kSuperBytes < t >> 0) {
        const IntegerScales s = integer_scales(group);
        const float d = first_f16(group.super);
        Scales scales{{d * first_f16(s.scale), d * second_f16(s.scale)}, {0.0f, 0.0f}};
        if constexpr (kHasMin<t>) {
            const float dmin = second_f16(group.super);
            scales.min[0] = dmin * first_f16(s.min);
            scales.min[1] = dmin * second_f16(s.min);
        }
        return scales;
    } else {
        const float d = first_f16(group.scale);
        const float min = kHasMin<t> ? -second_f16(group.scale) : 0.0f;
        return {{d, d}, {min, min}};
    }
}

// --- Numbers.

// Products of codes and scales are exact in f32 (at most 23 bits), so it does not matter whether the compiler fuses them with the
// difference.
template <DType t> NEOX_DEVICE void unpack(const Group<t>& group, float (&w)[32]) {
    if constexpr (t == DType::F32) {
        NEOX_UNROLL
        for (int i = 0; i < 32; ++i) w[i] = float_of_bits(group.codes[i]);
    } else if constexpr (t == DType::BF16) {
        NEOX_UNROLL
        for (int j = 0; j < 16; ++j) {
            w[2 * j] = float_of_bits(group.codes[j] << 16);
            w[2 * j + 1] = float_of_bits(group.codes[j] & 0xffff0000u);
        }
    } else if constexpr (t == DType::F16) {
        NEOX_UNROLL
        for (int j = 0; j < 16; ++j) {
            w[2 * j] = first_f16(group.codes[j]);
            w[2 * j + 1] = second_f16(group.codes[j]);
        }
    } else {
        std::uint32_t q[16];
        unpack_codes(group, q);
        const Scales s = scales_of(group);
        NEOX_UNROLL
        for (int j = 0; j < 16; ++j) {
            w[2 * j] = s.scale[j / 8] * first_f16(q[j]);
            w[2 * j + 1] = s.scale[j / 8] * second_f16(q[j]);
            if constexpr (kHasMin<t>) {
                w[2 * j] -= s.min[j / 8];
                w[2 * j + 1] -= s.min[j / 8];
            }
        }
    }
}

template <DType t> NEOX_DEVICE void unpack_half2(const Group<t>& group, std::uint32_t (&w)[16]) {
    if constexpr (t == DType::F16) {
        NEOX_UNROLL
        for (int j = 0; j < 16; ++j) w[j] = group.codes[j];
    } else if constexpr (!kHasCodes<t>) {
        float values[32];
        unpack(group, values);
        NEOX_UNROLL
        for (int j = 0; j < 16; ++j) w[j] = pack_f16(values[2 * j], values[2 * j + 1]);
    } else if constexpr (kSuperBytes<t> > 0) {
        std::uint32_t q[16];
        unpack_codes(group, q);
        const IntegerScales s = integer_scales(group);
        const std::uint32_t d = permute_bytes(group.super, 0, 0x1010u);
        const float dmin = kHasMin<t> ? -second_f16(group.super) : 0.0f;
        const std::uint32_t scale[2] = {permute_bytes(s.scale, 0, 0x1010u),
                                        permute_bytes(s.scale, 0, 0x3232u)};
        const std::uint32_t min = pack_f16(dmin * first_f16(s.min), dmin * second_f16(s.min));
        const std::uint32_t minus_min[2] = {permute_bytes(min, 0, 0x1010u), permute_bytes(min, 0, 0x3232u)};
        NEOX_UNROLL
        for (int j = 0; j < 16; ++j) {
            const std::uint32_t scaled = mul_f16(q[j], scale[j / 8]);  // exact up to 2048
            w[j] = kHasMin<t> ? fma_f16(scaled, d, minus_min[j / 8]) : mul_f16(scaled, d);
        }
    } else {
        unpack_codes(group, w);
        const std::uint32_t d = permute_bytes(group.scale, 0, 0x1010u);
        const std::uint32_t m = permute_bytes(group.scale, 0, 0x3232u);
        NEOX_UNROLL
        for (int j = 0; j < 16; ++j) w[j] = kHasMin<t> ? fma_f16(w[j], d, m) : mul_f16(w[j], d);
    }
}

// --- Which format: call.template operator()<t>() with the type as a constant, for launches.

template <class Call> void with_format(DType dtype, Call&& call) {
    switch (dtype) {
        case DType::F32: return call.template operator()<DType::F32>();
        case DType::F16: return call.template operator()<DType::F16>();
        case DType::BF16: return call.template operator()<DType::BF16>();
        case DType::Q8_0: return call.template operator()<DType::Q8_0>();
        case DType::Q4_0: return call.template operator()<DType::Q4_0>();
        case DType::Q4_1: return call.template operator()<DType::Q4_1>();
        case DType::Q5_0: return call.template operator()<DType::Q5_0>();
        case DType::Q5_1: return call.template operator()<DType::Q5_1>();
        case DType::IQ4_NL: return call.template operator()<DType::IQ4_NL>();
        case DType::Q2_K: return call.template operator()<DType::Q2_K>();
        case DType::Q3_K: return call.template operator()<DType::Q3_K>();
        case DType::Q4_K: return call.template operator()<DType::Q4_K>();
        case DType::Q5_K: return call.template operator()<DType::Q5_K>();
        case DType::Q6_K: return call.template operator()<DType::Q6_K>();
        default: fail_no_planes(dtype);
    }
}

}  // namespace neox::cuda
