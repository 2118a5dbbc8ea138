// Sixteen lanes as plain arrays: the vector types that kernels/generic is written in, and the meaning of each
// operation. The other instruction sets must agree with this file bit for bit.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/half.h"
#include "kernels/target.h"
#include "quant/blocks.h"

#define NEOX_ISA scalar

// Arrays gain nothing from unrolled tiles and forced inlining, and compile slowly with them.
#undef NEOX_UNROLL
#define NEOX_UNROLL
#undef NEOX_INLINE
#define NEOX_INLINE inline

namespace neox::scalar {

// Shapes of the register tiles.
inline constexpr int kTilePanels = 1;
inline constexpr int kTileTokens = 2;
inline constexpr bool kOverlap = false, kSplitScales = false;
inline constexpr int kF32Tokens = 2;
inline constexpr int kPairTokens = 2, kManyPairTokens = 2;  // in f32 products of two panels
inline constexpr int kStepPanels = 1, kStepTokens = 2;
inline constexpr int kInt16Panels = 1, kInt16Tokens = 3;  // in products of 16-bit integers
inline constexpr int kPeakChains = 2;                     // independent sums in the measuring loops

struct F32x16 {
    float v[16];
};
struct I32x16 {
    std::int32_t v[16];
};
struct U8x64 {
    std::uint8_t v[64];
};
// 16 sums in f64.
struct F64x16 {
    double v[16];
};

template <class Vector, class Function> NEOX_INLINE Vector each_lane(Function&& function) {
    Vector r;
    for (int i = 0; i < 16; ++i) r.v[i] = function(i);
    return r;
}

NEOX_INLINE F32x16 broadcast(float x) {
    return each_lane<F32x16>([&](int) { return x; });
}
NEOX_INLINE F32x16 load(const float* p) {
    return each_lane<F32x16>([&](int i) { return p[i]; });
}
NEOX_INLINE void store(float* p, const F32x16& a) { std::memcpy(p, a.v, sizeof(a.v)); }
NEOX_INLINE F32x16 add(const F32x16& a, const F32x16& b) {
    return each_lane<F32x16>([&](int i) { return a.v[i] + b.v[i]; });
}
NEOX_INLINE F32x16 sub(const F32x16& a, const F32x16& b) {
    return each_lane<F32x16>([&](int i) { return a.v[i] - b.v[i]; });
}
NEOX_INLINE F32x16 mul(const F32x16& a, const F32x16& b) {
    return each_lane<F32x16>([&](int i) { return a.v[i] * b.v[i]; });
}
NEOX_INLINE F32x16 div(const F32x16& a, const F32x16& b) {
    return each_lane<F32x16>([&](int i) { return a.v[i] / b.v[i]; });
}
// a * b + c and c - a * b, rounded once.
NEOX_INLINE F32x16 fma(const F32x16& a, const F32x16& b, const F32x16& c) {
    return each_lane<F32x16>([&](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
}
NEOX_INLINE F32x16 fnma(const F32x16& a, const F32x16& b, const F32x16& c) {
    return each_lane<F32x16>([&](int i) { return std::fma(-a.v[i], b.v[i], c.v[i]); });
}
// a > b ? a : b and a < b ? a : b, so b where one is a NaN.
NEOX_INLINE F32x16 max(const F32x16& a, const F32x16& b) {
    return each_lane<F32x16>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
NEOX_INLINE F32x16 min(const F32x16& a, const F32x16& b) {
    return each_lane<F32x16>([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
NEOX_INLINE F32x16 abs(const F32x16& a) {
    return each_lane<F32x16>([&](int i) { return std::fabs(a.v[i]); });
}
NEOX_INLINE F32x16 sqrt(const F32x16& a) {
    return each_lane<F32x16>([&](int i) { return std::sqrt(a.v[i]); });
}
// a < b ? yes : no.
NEOX_INLINE F32x16 select_less(const F32x16& a, const F32x16& b, const F32x16& yes, const F32x16& no) {
    return each_lane<F32x16>([&](int i) { return a.v[i] < b.v[i] ? yes.v[i] : no.v[i]; });
}
NEOX_INLINE bool has_nan(const F32x16& a) {
    bool found = false;
    for (int i = 0; i < 16; ++i) found |= a.v[i] != a.v[i];
    return found;
}
// Bit i: lane i equals b's.
NEOX_INLINE std::uint32_t equal_mask(const F32x16& a, const F32x16& b) {
    std::uint32_t mask = 0;
    for (int i = 0; i < 16; ++i) mask |= static_cast<std::uint32_t>(a.v[i] == b.v[i]) << i;
    return mask;
}

NEOX_INLINE std::uint16_t load_u16(const void* p, int i) {
    std::uint16_t bits;
    std::memcpy(&bits, static_cast<const std::byte*>(p) + 2 * i, 2);
    return bits;
}
NEOX_INLINE F32x16 load_f16(const void* p) {
    return each_lane<F32x16>([&](int i) { return f16_to_f32(load_u16(p, i)); });
}
NEOX_INLINE F32x16 load_bf16(const void* p) {
    return each_lane<F32x16>([&](int i) { return bf16_to_f32(load_u16(p, i)); });
}
NEOX_INLINE void store_f16(void* p, const F32x16& a) {
    for (int i = 0; i < 16; ++i) {
        const std::uint16_t bits = f32_to_f16(a.v[i]);
        std::memcpy(static_cast<std::byte*>(p) + 2 * i, &bits, 2);
    }
}

// Sums over lanes, always by the tree (l, l + 8), (l, l + 4), (l, l + 2), (l, l + 1).
template <class T> NEOX_INLINE T reduce_add_array(const T (&lanes)[16]) {
    T sums[16];
    for (int i = 0; i < 16; ++i) sums[i] = lanes[i];
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; ++i) sums[i] = sums[i] + sums[i + half];
    return sums[0];
}
template <class T> NEOX_INLINE T reduce_max_array(const T (&lanes)[16]) {
    T largest = lanes[0];
    for (int i = 1; i < 16; ++i) largest = lanes[i] > largest ? lanes[i] : largest;
    return largest;
}
NEOX_INLINE float reduce_add(const F32x16& a) { return reduce_add_array(a.v); }
// Lane i of the result is reduce_add(rows[i]).
NEOX_INLINE F32x16 reduce_add_rows(const F32x16* rows) {
    return each_lane<F32x16>([&](int i) { return reduce_add(rows[i]); });
}
NEOX_INLINE float reduce_max(const F32x16& a) { return reduce_max_array(a.v); }

NEOX_INLINE F64x16 zero_f64() { return F64x16{}; }
NEOX_INLINE F64x16 add(const F64x16& sum, const F32x16& a) {
    return each_lane<F64x16>([&](int i) { return sum.v[i] + static_cast<double>(a.v[i]); });
}
NEOX_INLINE F64x16 add_squares(const F64x16& sum, const F32x16& a) {
    return each_lane<F64x16>(
        [&](int i) { return std::fma(static_cast<double>(a.v[i]), static_cast<double>(a.v[i]), sum.v[i]); });
}
NEOX_INLINE double reduce_add(const F64x16& a) { return reduce_add_array(a.v); }

// Integer lanes wrap around, as in a register.
NEOX_INLINE std::uint32_t u32(std::int32_t x) { return static_cast<std::uint32_t>(x); }
NEOX_INLINE I32x16 broadcast(std::int32_t x) {
    return each_lane<I32x16>([&](int) { return x; });
}
NEOX_INLINE I32x16 load_i32(const void* p) {
    I32x16 r;
    std::memcpy(r.v, p, sizeof(r.v));
    return r;
}
NEOX_INLINE I32x16 load_i8(const void* p) {  // 16 signed bytes
    return each_lane<I32x16>([&](int i) { return static_cast<const std::int8_t*>(p)[i]; });
}
NEOX_INLINE void store(std::int32_t* p, const I32x16& a) { std::memcpy(p, a.v, sizeof(a.v)); }
NEOX_INLINE I32x16 add(const I32x16& a, const I32x16& b) {
    return each_lane<I32x16>([&](int i) { return static_cast<std::int32_t>(u32(a.v[i]) + u32(b.v[i])); });
}
NEOX_INLINE I32x16 sub(const I32x16& a, const I32x16& b) {
    return each_lane<I32x16>([&](int i) { return static_cast<std::int32_t>(u32(a.v[i]) - u32(b.v[i])); });
}
NEOX_INLINE I32x16 min(const I32x16& a, const I32x16& b) {
    return each_lane<I32x16>([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
NEOX_INLINE I32x16 max(const I32x16& a, const I32x16& b) {
    return each_lane<I32x16>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
NEOX_INLINE I32x16 bit_and(const I32x16& a, const I32x16& b) {
    return each_lane<I32x16>([&](int i) { return a.v[i] & b.v[i]; });
}
template <int kBits> NEOX_INLINE I32x16 shift_left(const I32x16& a) {
    return each_lane<I32x16>([&](int i) { return static_cast<std::int32_t>(u32(a.v[i]) << kBits); });
}
template <int kBits> NEOX_INLINE I32x16 shift_right(const I32x16& a) {  // zeros come in
    return each_lane<I32x16>([&](int i) { return static_cast<std::int32_t>(u32(a.v[i]) >> kBits); });
}
template <int kBits> NEOX_INLINE I32x16 shift_right_signed(const I32x16& a) {
    return each_lane<I32x16>([&](int i) { return a.v[i] >> kBits; });
}
// sum + the products of the signed 16-bit halves of a and b, low and high, lane by lane.
NEOX_INLINE std::int32_t low_half(std::int32_t x) { return static_cast<std::int16_t>(u32(x) & 0xffffu); }
NEOX_INLINE std::int32_t high_half(std::int32_t x) { return static_cast<std::int16_t>(u32(x) >> 16); }
NEOX_INLINE I32x16 add_pair_products(const I32x16& sum, const I32x16& a, const I32x16& b) {
    return each_lane<I32x16>([&](int i) {
        const std::uint32_t low = u32(low_half(a.v[i]) * low_half(b.v[i])),
                            high = u32(high_half(a.v[i]) * high_half(b.v[i]));
        return static_cast<std::int32_t>(u32(sum.v[i]) + low + high);
    });
}
NEOX_INLINE I32x16 kept(const I32x16& a) { return a; }  // a mark for compilers, of other sets
NEOX_INLINE std::int32_t reduce_add(const I32x16& a) { return reduce_add_array(a.v); }
NEOX_INLINE std::int32_t reduce_max(const I32x16& a) { return reduce_max_array(a.v); }
NEOX_INLINE void store_i8(std::int8_t* p, const I32x16& a) {  // values in -128..127
    for (int i = 0; i < 16; ++i) p[i] = static_cast<std::int8_t>(a.v[i]);
}

NEOX_INLINE F32x16 to_f32(const I32x16& a) {
    return each_lane<F32x16>([&](int i) { return static_cast<float>(a.v[i]); });
}
// To nearest, ties to even, whatever rounding mode the thread is in: adding 1.5 * 2^23 leaves the integer in
// the low bits. What does not fit into 22 bits, and NaN, gives the integer that the vector instructions give.
NEOX_INLINE I32x16 round_to_i32(const F32x16& a) {
    return each_lane<I32x16>([&](int i) {
        const float x = a.v[i];
        if (std::fabs(x) < 0x1p22f) {
            const float shifted = x + 0x1.8p23f;
            return std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(0x1.8p23f);
        }
        return x >= -0x1p31f && x < 0x1p31f ? static_cast<std::int32_t>(std::nearbyint(x)) : INT32_MIN;
    });
}
// table[index], index in [0, 16).
NEOX_INLINE F32x16 lookup(const float* table, const I32x16& index) {
    return each_lane<F32x16>([&](int i) { return table[index.v[i]]; });
}
NEOX_INLINE I32x16 bits_of(const F32x16& a) { return std::bit_cast<I32x16>(a); }
NEOX_INLINE F32x16 f32_of_bits(const I32x16& a) { return std::bit_cast<F32x16>(a); }

// Integer products. A U8x64 holds 4 columns of 16 rows: byte 4 r + j is column j of row r.
NEOX_INLINE U8x64 load_u8(const void* p) {
    U8x64 r;
    std::memcpy(r.v, p, sizeof(r.v));
    return r;
}
NEOX_INLINE void store(void* p, const U8x64& a) { std::memcpy(p, a.v, sizeof(a.v)); }
NEOX_INLINE U8x64 bit_or(const U8x64& a, const U8x64& b) {
    U8x64 r;
    for (int i = 0; i < 64; ++i) r.v[i] = a.v[i] | b.v[i];
    return r;
}
// (byte >> shift) & mask, a negative shift going left; the mask leaves out what comes in from a neighbour.
NEOX_INLINE U8x64 field(const U8x64& a, int shift, int mask) {
    U8x64 r;
    for (int i = 0; i < 64; ++i)
        r.v[i] = static_cast<std::uint8_t>((shift >= 0 ? a.v[i] >> shift : a.v[i] << -shift) & mask);
    return r;
}
// table[byte] for bytes below 16.
NEOX_INLINE U8x64 lookup(const std::uint8_t* table, const U8x64& a) {
    U8x64 r;
    for (int i = 0; i < 64; ++i) r.v[i] = table[a.v[i]];
    return r;
}
NEOX_INLINE I32x16 as_i32(const U8x64& a) { return std::bit_cast<I32x16>(a); }

// Four activations, the same for every row.
struct X4 {
    std::int8_t v[4];
};
NEOX_INLINE X4 broadcast_x4(const std::int8_t* x) { return {{x[0], x[1], x[2], x[3]}}; }

// Sums of u8 * s8 over the columns of one block, for codes of kBits bits. kOffset is what a code holds above its
// value, minus what the dot product takes off by itself: finish() returns the sum plus the `init` given to both ends. Kind is all
// that a product of unpacked codes depends on.
struct PlainDot {
    using Weights = U8x64;
    using Sum = I32x16;
    static NEOX_INLINE Weights prepare(const U8x64& a) { return a; }
    static NEOX_INLINE Sum start(std::int32_t init) { return broadcast(init); }
    static NEOX_INLINE Sum add(const Sum& sum, const Weights& w, X4 x) {
        return each_lane<I32x16>([&](int i) {
            const std::uint8_t* row = w.v + 4 * i;
            return sum.v[i] + row[0] * x.v[0] + row[1] * x.v[1] + row[2] * x.v[2] + row[3] * x.v[3];
        });
    }
    static NEOX_INLINE I32x16 finish(const Sum& sum, std::int32_t) { return sum; }
};
template <int kBits, int kOffsetOf> struct Dot : PlainDot {
    using Kind = PlainDot;
    static constexpr int kOffset = kOffsetOf;
};

NEOX_INLINE void prefetch(const void*) {}

}  // namespace neox::scalar
