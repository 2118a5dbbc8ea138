// Sixteen lanes on 64-bit ARM, here four registers each: the vector types that kernels/generic is written in, but for
// the dot product of bytes, which each of the three sets brings in its lanes.h. That file names the set in NEOX_ISA and
// NEOX_ISA_TARGET before it includes this one.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <arm_neon.h>

#include "kernels/target.h"
#include "quant/blocks.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
namespace neox::NEOX_ISA {

// Shapes of the register tiles that have no bytes in them, for 32 registers.
inline constexpr int kTilePanels = 1;
inline constexpr bool kOverlap = false, kSplitScales = false;
inline constexpr int kF32Tokens = 4;
inline constexpr int kPairTokens = 2, kManyPairTokens = 2;  // in f32 products of two panels
inline constexpr int kPeakChains = 4;                       // independent sums in the measuring loops

struct F32x16 {
    float32x4_t v[4];
};
struct I32x16 {
    int32x4_t v[4];
};
struct U8x64 {
    uint8x16_t v[4];
};
// 16 sums in f64.
struct F64x16 {
    float64x2_t v[8];
};

// An instruction on each quarter.
#define NEOX_QUARTERS_1(op, a)                                                                               \
    {                                                                                                        \
        { op(a.v[0]), op(a.v[1]), op(a.v[2]), op(a.v[3]) }                                                   \
    }
#define NEOX_QUARTERS_2(op, a, b)                                                                            \
    {                                                                                                        \
        { op(a.v[0], b.v[0]), op(a.v[1], b.v[1]), op(a.v[2], b.v[2]), op(a.v[3], b.v[3]) }                   \
    }
#define NEOX_QUARTERS_3(op, a, b, c)                                                                         \
    {                                                                                                        \
        {                                                                                                    \
            op(a.v[0], b.v[0], c.v[0]), op(a.v[1], b.v[1], c.v[1]), op(a.v[2], b.v[2], c.v[2]),              \
                op(a.v[3], b.v[3], c.v[3])                                                                   \
        }                                                                                                    \
    }

NEOX_INLINE F32x16 broadcast(float x) {
    const float32x4_t all = vdupq_n_f32(x);
    return {{all, all, all, all}};
}
NEOX_INLINE F32x16 load(const float* p) {
    return {{vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)}};
}
NEOX_INLINE void store(float* p, F32x16 a) {
    vst1q_f32(p, a.v[0]);
    vst1q_f32(p + 4, a.v[1]);
    vst1q_f32(p + 8, a.v[2]);
    vst1q_f32(p + 12, a.v[3]);
}
NEOX_INLINE F32x16 add(F32x16 a, F32x16 b) { return NEOX_QUARTERS_2(vaddq_f32, a, b); }
NEOX_INLINE F32x16 sub(F32x16 a, F32x16 b) { return NEOX_QUARTERS_2(vsubq_f32, a, b); }
NEOX_INLINE F32x16 mul(F32x16 a, F32x16 b) { return NEOX_QUARTERS_2(vmulq_f32, a, b); }
NEOX_INLINE F32x16 div(F32x16 a, F32x16 b) { return NEOX_QUARTERS_2(vdivq_f32, a, b); }
// a * b + c and c - a * b, rounded once.
NEOX_INLINE F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return NEOX_QUARTERS_3(vfmaq_f32, c, a, b); }
NEOX_INLINE F32x16 fnma(F32x16 a, F32x16 b, F32x16 c) { return NEOX_QUARTERS_3(vfmsq_f32, c, a, b); }
// a > b ? a : b and a < b ? a : b, so b where one is a NaN; FMAX and FMIN would give the NaN.
NEOX_INLINE float32x4_t greater(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
NEOX_INLINE float32x4_t smaller(float32x4_t a, float32x4_t b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
NEOX_INLINE F32x16 max(F32x16 a, F32x16 b) { return NEOX_QUARTERS_2(greater, a, b); }
NEOX_INLINE F32x16 min(F32x16 a, F32x16 b) { return NEOX_QUARTERS_2(smaller, a, b); }
NEOX_INLINE F32x16 abs(F32x16 a) { return NEOX_QUARTERS_1(vabsq_f32, a); }
NEOX_INLINE F32x16 sqrt(F32x16 a) { return NEOX_QUARTERS_1(vsqrtq_f32, a); }
// a < b ? yes : no.
NEOX_INLINE F32x16 select_less(F32x16 a, F32x16 b, F32x16 yes, F32x16 no) {
    F32x16 r;
    for (int q = 0; q < 4; ++q) r.v[q] = vbslq_f32(vcltq_f32(a.v[q], b.v[q]), yes.v[q], no.v[q]);
    return r;
}
NEOX_INLINE bool has_nan(F32x16 a) {
    const uint32x4_t low = vandq_u32(vceqq_f32(a.v[0], a.v[0]), vceqq_f32(a.v[1], a.v[1]));
    const uint32x4_t high = vandq_u32(vceqq_f32(a.v[2], a.v[2]), vceqq_f32(a.v[3], a.v[3]));
    return vminvq_u32(vandq_u32(low, high)) == 0;
}
// Bit i: lane i equals b's.
NEOX_INLINE std::uint32_t equal_mask(F32x16 a, F32x16 b) {
    alignas(16) static constexpr std::uint32_t kBits[4] = {1, 2, 4, 8};
    const uint32x4_t bits = vld1q_u32(kBits);
    std::uint32_t mask = 0;
    for (int q = 0; q < 4; ++q) mask |= vaddvq_u32(vandq_u32(vceqq_f32(a.v[q], b.v[q]), bits)) << (4 * q);
    return mask;
}

NEOX_INLINE F32x16 load_f16(const void* p) {
    const std::uint16_t* halves = static_cast<const std::uint16_t*>(p);
    const float16x8_t low = vreinterpretq_f16_u16(vld1q_u16(halves));
    const float16x8_t high = vreinterpretq_f16_u16(vld1q_u16(halves + 8));
    return {{vcvt_f32_f16(vget_low_f16(low)), vcvt_high_f32_f16(low), vcvt_f32_f16(vget_low_f16(high)),
             vcvt_high_f32_f16(high)}};
}
NEOX_INLINE F32x16 load_bf16(const void* p) {
    const std::uint16_t* halves = static_cast<const std::uint16_t*>(p);
    const uint16x8_t low = vld1q_u16(halves), high = vld1q_u16(halves + 8);
    return {{vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(low), 16)),
             vreinterpretq_f32_u32(vshll_high_n_u16(low, 16)),
             vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(high), 16)),
             vreinterpretq_f32_u32(vshll_high_n_u16(high, 16))}};
}
NEOX_INLINE void store_f16(void* p, F32x16 a) {
    std::uint16_t* halves = static_cast<std::uint16_t*>(p);
    vst1q_u16(halves, vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(a.v[0]), a.v[1])));
    vst1q_u16(halves + 8, vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(a.v[2]), a.v[3])));
}

// Sums over lanes, always by the tree (l, l + 8), (l, l + 4), (l, l + 2), (l, l + 1).
NEOX_INLINE float32x4_t quarters_added(F32x16 a) {
    return vaddq_f32(vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3]));
}
NEOX_INLINE float reduce_add(F32x16 a) {
    const float32x4_t s4 = quarters_added(a);
    const float32x2_t s2 = vadd_f32(vget_low_f32(s4), vget_high_f32(s4));
    return vget_lane_f32(s2, 0) + vget_lane_f32(s2, 1);
}
NEOX_INLINE float32x4_t pairs_added(float32x4_t a, float32x4_t b) {  // 2 sums of a, 2 of b
    return vaddq_f32(vcombine_f32(vget_low_f32(a), vget_low_f32(b)),
                     vcombine_f32(vget_high_f32(a), vget_high_f32(b)));
}
// Lane i of the result is reduce_add(rows[i]), bit for bit.
NEOX_INLINE F32x16 reduce_add_rows(const F32x16* rows) {
    F32x16 sums;
    for (int q = 0; q < 4; ++q) {
        const F32x16* r = rows + 4 * q;
        sums.v[q] = vpaddq_f32(pairs_added(quarters_added(r[0]), quarters_added(r[1])),
                               pairs_added(quarters_added(r[2]), quarters_added(r[3])));
    }
    return sums;
}
NEOX_INLINE float reduce_max(F32x16 a) {  // of numbers
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(a.v[0], a.v[1]), vmaxq_f32(a.v[2], a.v[3])));
}

NEOX_INLINE F64x16 zero_f64() {
    const float64x2_t zero = vdupq_n_f64(0.0);
    return {{zero, zero, zero, zero, zero, zero, zero, zero}};
}
NEOX_INLINE F64x16 add(F64x16 sum, F32x16 a) {
    for (int q = 0; q < 4; ++q) {
        sum.v[2 * q] = vaddq_f64(sum.v[2 * q], vcvt_f64_f32(vget_low_f32(a.v[q])));
        sum.v[2 * q + 1] = vaddq_f64(sum.v[2 * q + 1], vcvt_high_f64_f32(a.v[q]));
    }
    return sum;
}
NEOX_INLINE F64x16 add_squares(F64x16 sum, F32x16 a) {
    for (int q = 0; q < 4; ++q) {
        const float64x2_t low = vcvt_f64_f32(vget_low_f32(a.v[q])), high = vcvt_high_f64_f32(a.v[q]);
        sum.v[2 * q] = vfmaq_f64(sum.v[2 * q], low, low);
        sum.v[2 * q + 1] = vfmaq_f64(sum.v[2 * q + 1], high, high);
    }
    return sum;
}
NEOX_INLINE double reduce_add(F64x16 a) {
    const float64x2_t low = vaddq_f64(vaddq_f64(a.v[0], a.v[4]), vaddq_f64(a.v[2], a.v[6]));
    const float64x2_t high = vaddq_f64(vaddq_f64(a.v[1], a.v[5]), vaddq_f64(a.v[3], a.v[7]));
    const float64x2_t s2 = vaddq_f64(low, high);
    return vgetq_lane_f64(s2, 0) + vgetq_lane_f64(s2, 1);
}

NEOX_INLINE I32x16 broadcast(std::int32_t x) {
    const int32x4_t all = vdupq_n_s32(x);
    return {{all, all, all, all}};
}
NEOX_INLINE I32x16 load_i32(const void* p) {
    const std::int32_t* lanes = static_cast<const std::int32_t*>(p);
    return {{vld1q_s32(lanes), vld1q_s32(lanes + 4), vld1q_s32(lanes + 8), vld1q_s32(lanes + 12)}};
}
NEOX_INLINE I32x16 load_i8(const void* p) {  // 16 signed bytes
    const int8x16_t bytes = vld1q_s8(static_cast<const std::int8_t*>(p));
    const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
    return {{vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low), vmovl_s16(vget_low_s16(high)),
             vmovl_high_s16(high)}};
}
NEOX_INLINE void store(std::int32_t* p, I32x16 a) {
    vst1q_s32(p, a.v[0]);
    vst1q_s32(p + 4, a.v[1]);
    vst1q_s32(p + 8, a.v[2]);
    vst1q_s32(p + 12, a.v[3]);
}
NEOX_INLINE I32x16 add(I32x16 a, I32x16 b) { return NEOX_QUARTERS_2(vaddq_s32, a, b); }
NEOX_INLINE I32x16 sub(I32x16 a, I32x16 b) { return NEOX_QUARTERS_2(vsubq_s32, a, b); }
NEOX_INLINE I32x16 min(I32x16 a, I32x16 b) { return NEOX_QUARTERS_2(vminq_s32, a, b); }
NEOX_INLINE I32x16 max(I32x16 a, I32x16 b) { return NEOX_QUARTERS_2(vmaxq_s32, a, b); }
NEOX_INLINE I32x16 bit_and(I32x16 a, I32x16 b) { return NEOX_QUARTERS_2(vandq_s32, a, b); }
template <int kBits> NEOX_INLINE I32x16 shift_left(I32x16 a) {
    return {{vshlq_n_s32(a.v[0], kBits), vshlq_n_s32(a.v[1], kBits), vshlq_n_s32(a.v[2], kBits),
             vshlq_n_s32(a.v[3], kBits)}};
}
template <int kBits> NEOX_INLINE int32x4_t shift_quarter_right(int32x4_t a) {
    return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a), kBits));
}
template <int kBits> NEOX_INLINE I32x16 shift_right(I32x16 a) {  // zeros come in
    return NEOX_QUARTERS_1(shift_quarter_right<kBits>, a);
}
template <int kBits> NEOX_INLINE I32x16 shift_right_signed(I32x16 a) {
    return {{vshrq_n_s32(a.v[0], kBits), vshrq_n_s32(a.v[1], kBits), vshrq_n_s32(a.v[2], kBits),
             vshrq_n_s32(a.v[3], kBits)}};
}
// sum + the products of the signed 16-bit halves of a and b, low and high, lane by lane.
NEOX_INLINE int32x4_t add_quarter_pairs(int32x4_t sum, int32x4_t a, int32x4_t b) {
    const int16x8_t x = vreinterpretq_s16_s32(a), y = vreinterpretq_s16_s32(b);
    const int32x4_t products = vmull_s16(vget_low_s16(x), vget_low_s16(y));
    return vaddq_s32(sum, vpaddq_s32(products, vmull_high_s16(x, y)));
}
NEOX_INLINE I32x16 add_pair_products(I32x16 sum, I32x16 a, I32x16 b) {
    return NEOX_QUARTERS_3(add_quarter_pairs, sum, a, b);
}
NEOX_INLINE std::int32_t reduce_add(I32x16 a) {
    return vaddvq_s32(vaddq_s32(vaddq_s32(a.v[0], a.v[1]), vaddq_s32(a.v[2], a.v[3])));
}
NEOX_INLINE I32x16 kept(I32x16 a) { return a; }  // a mark for compilers, of other sets
NEOX_INLINE std::int32_t reduce_max(I32x16 a) {
    return vmaxvq_s32(vmaxq_s32(vmaxq_s32(a.v[0], a.v[1]), vmaxq_s32(a.v[2], a.v[3])));
}
NEOX_INLINE void store_i8(std::int8_t* p, I32x16 a) {  // values in -128..127
    const int16x8_t low = vmovn_high_s32(vmovn_s32(a.v[0]), a.v[1]);
    const int16x8_t high = vmovn_high_s32(vmovn_s32(a.v[2]), a.v[3]);
    vst1q_s8(p, vmovn_high_s16(vmovn_s16(low), high));
}

NEOX_INLINE F32x16 to_f32(I32x16 a) { return NEOX_QUARTERS_1(vcvtq_f32_s32, a); }
// To nearest, ties to even. FCVTNS gives the nearest integer there is for what does not fit, and 0 for a NaN; the other
// sets give the least integer.
NEOX_INLINE int32x4_t round_quarter(float32x4_t a) {
    const uint32x4_t fits = vcltq_f32(vabsq_f32(a), vdupq_n_f32(0x1p31f));
    return vbslq_s32(fits, vcvtnq_s32_f32(a), vdupq_n_s32(INT32_MIN));
}
NEOX_INLINE I32x16 round_to_i32(F32x16 a) { return NEOX_QUARTERS_1(round_quarter, a); }
// table[index], index in [0, 16): four bytes each of a table of 64.
NEOX_INLINE F32x16 lookup(const float* table, I32x16 index) {
    const std::uint8_t* bytes = reinterpret_cast<const std::uint8_t*>(table);
    uint8x16x4_t entries;
    for (int q = 0; q < 4; ++q) entries.val[q] = vld1q_u8(bytes + 16 * q);
    const uint32x4_t first = vdupq_n_u32(0x03020100), step = vdupq_n_u32(0x04040404);
    F32x16 r;
    for (int q = 0; q < 4; ++q) {
        const uint32x4_t at = vmlaq_u32(first, vreinterpretq_u32_s32(index.v[q]), step);
        r.v[q] = vreinterpretq_f32_u8(vqtbl4q_u8(entries, vreinterpretq_u8_u32(at)));
    }
    return r;
}
NEOX_INLINE I32x16 bits_of(F32x16 a) { return NEOX_QUARTERS_1(vreinterpretq_s32_f32, a); }
NEOX_INLINE F32x16 f32_of_bits(I32x16 a) { return NEOX_QUARTERS_1(vreinterpretq_f32_s32, a); }

// Integer products. A U8x64 holds 4 columns of 16 rows: byte 4 r + j is column j of row r.
NEOX_INLINE U8x64 load_u8(const void* p) {
    const std::uint8_t* bytes = static_cast<const std::uint8_t*>(p);
    return {{vld1q_u8(bytes), vld1q_u8(bytes + 16), vld1q_u8(bytes + 32), vld1q_u8(bytes + 48)}};
}
NEOX_INLINE void store(void* p, U8x64 a) {
    std::uint8_t* bytes = static_cast<std::uint8_t*>(p);
    vst1q_u8(bytes, a.v[0]);
    vst1q_u8(bytes + 16, a.v[1]);
    vst1q_u8(bytes + 32, a.v[2]);
    vst1q_u8(bytes + 48, a.v[3]);
}
NEOX_INLINE U8x64 bit_or(U8x64 a, U8x64 b) { return NEOX_QUARTERS_2(vorrq_u8, a, b); }
// (byte >> shift) & mask, a negative shift going left.
NEOX_INLINE U8x64 field(U8x64 a, int shift, int mask) {
    const int8x16_t left = vdupq_n_s8(static_cast<std::int8_t>(-shift));
    const uint8x16_t bits = vdupq_n_u8(static_cast<std::uint8_t>(mask));
    U8x64 r;
    for (int q = 0; q < 4; ++q) r.v[q] = vandq_u8(vshlq_u8(a.v[q], left), bits);
    return r;
}
// table[byte] for bytes below 16.
NEOX_INLINE U8x64 lookup(const std::uint8_t* table, U8x64 a) {
    const uint8x16_t entries = vld1q_u8(table);
    return {{vqtbl1q_u8(entries, a.v[0]), vqtbl1q_u8(entries, a.v[1]), vqtbl1q_u8(entries, a.v[2]),
             vqtbl1q_u8(entries, a.v[3])}};
}
NEOX_INLINE I32x16 as_i32(U8x64 a) { return NEOX_QUARTERS_1(vreinterpretq_s32_u8, a); }

// Four activations, the same for every row.
struct X4 {
    int8x16_t v;
};
NEOX_INLINE X4 broadcast_x4(const std::int8_t* x) {
    std::int32_t four;
    std::memcpy(&four, x, 4);
    return {vreinterpretq_s8_s32(vdupq_n_s32(four))};
}

// Codes of 8 bits as the signed bytes code - 128. The instructions that take signed bytes alone can take smaller codes
// as they are.
struct S8x64 {
    int8x16_t v[4];
};
template <int kBits> NEOX_INLINE S8x64 signed_codes(U8x64 a) {
    const uint8x16_t flip = vdupq_n_u8(kBits == 8 ? 128 : 0);
    S8x64 r;
    for (int q = 0; q < 4; ++q) r.v[q] = vreinterpretq_s8_u8(kBits == 8 ? veorq_u8(a.v[q], flip) : a.v[q]);
    return r;
}

NEOX_INLINE void prefetch(const void* p) {
#if defined(_MSC_VER) && !defined(__clang__)
    __prefetch(p);
#else
    __builtin_prefetch(p);
#endif
}

#undef NEOX_QUARTERS_1
#undef NEOX_QUARTERS_2
#undef NEOX_QUARTERS_3

}  // namespace neox::NEOX_ISA
NEOX_TARGET_END
