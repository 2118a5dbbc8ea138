// Sixteen lanes on 64-bit ARM as every such processor has them.
#pragma once

#include "kernels/target.h"

#define NEOX_ISA neon
#if defined(__clang__)
#define NEOX_ISA_TARGET "neon"
#else
#define NEOX_ISA_TARGET "arch=armv8-a"
#endif

#include "kernels/neon/vectors.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
namespace neox::neon {

// A sum of bytes takes eight registers here.
inline constexpr int kTileTokens = 2;
inline constexpr int kStepPanels = 1, kStepTokens = 2;

// Sums of u8 * s8 over the columns of one block, for codes of kBits bits. kOffset is what a code holds above its
// value, minus what the dot product takes off by itself: finish() returns the sum plus the `init` given to both ends.
// Kind is all that a product of unpacked codes depends on.
//
// Products of two bytes are 16 bits, a lane for each of the 4 columns; v[2 q] and v[2 q + 1] are rows 4 q to 4 q + 3.

// Codes up to 31: the 8 products of a block fit into 16 bits (8 * 31 * 127 < 2^15).
template <int kBits> struct BlockDot {
    using Weights = S8x64;
    struct Sum {
        int16x8_t v[8];
    };
    static NEOX_INLINE Weights prepare(U8x64 a) { return signed_codes<kBits>(a); }
    static NEOX_INLINE Sum start(std::int32_t) {
        const int16x8_t zero = vdupq_n_s16(0);
        return {{zero, zero, zero, zero, zero, zero, zero, zero}};
    }
    static NEOX_INLINE Sum add(Sum sum, Weights w, X4 x) {
        for (int q = 0; q < 4; ++q) {
            sum.v[2 * q] = vmlal_s8(sum.v[2 * q], vget_low_s8(w.v[q]), vget_low_s8(x.v));
            sum.v[2 * q + 1] = vmlal_high_s8(sum.v[2 * q + 1], w.v[q], x.v);
        }
        return sum;
    }
    static NEOX_INLINE I32x16 finish(Sum sum, std::int32_t init) {
        I32x16 r;
        for (int q = 0; q < 4; ++q)
            r.v[q] = vaddq_s32(vdupq_n_s32(init),
                               vpaddq_s32(vpaddlq_s16(sum.v[2 * q]), vpaddlq_s16(sum.v[2 * q + 1])));
        return r;
    }
};
// Larger codes: products are added in pairs to sums of 32 bits.
template <int kBits> struct PairDot {
    using Weights = S8x64;
    struct Sum {
        int32x4_t v[8];
    };
    static NEOX_INLINE Weights prepare(U8x64 a) { return signed_codes<kBits>(a); }
    static NEOX_INLINE Sum start(std::int32_t) {
        const int32x4_t zero = vdupq_n_s32(0);
        return {{zero, zero, zero, zero, zero, zero, zero, zero}};
    }
    static NEOX_INLINE Sum add(Sum sum, Weights w, X4 x) {
        for (int q = 0; q < 4; ++q) {
            sum.v[2 * q] = vpadalq_s16(sum.v[2 * q], vmull_s8(vget_low_s8(w.v[q]), vget_low_s8(x.v)));
            sum.v[2 * q + 1] = vpadalq_s16(sum.v[2 * q + 1], vmull_high_s8(w.v[q], x.v));
        }
        return sum;
    }
    static NEOX_INLINE I32x16 finish(Sum sum, std::int32_t init) {
        I32x16 r;
        for (int q = 0; q < 4; ++q)
            r.v[q] = vaddq_s32(vdupq_n_s32(init), vpaddq_s32(sum.v[2 * q], sum.v[2 * q + 1]));
        return r;
    }
};
template <class KindOf, int kOffsetOf> struct DotOf : KindOf {
    using Kind = KindOf;
    static constexpr int kOffset = kOffsetOf;
};
template <int kBits, int kOffset> struct Dot : DotOf<BlockDot<kBits>, kOffset> {};
template <int kOffset> struct Dot<6, kOffset> : DotOf<PairDot<6>, kOffset> {};
template <int kOffset> struct Dot<8, kOffset> : DotOf<PairDot<8>, kOffset - 128> {};

}  // namespace neox::neon
NEOX_TARGET_END
