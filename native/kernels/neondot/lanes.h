// Sixteen lanes on 64-bit ARM with the dot product of signed bytes (SDOT, ARMv8.2).
#pragma once

#include "kernels/target.h"

#define NEOX_ISA neondot
#if defined(__clang__)
#define NEOX_ISA_TARGET "dotprod"
#else
#define NEOX_ISA_TARGET "arch=armv8.2-a+dotprod"
#endif

#include "kernels/neon/vectors.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
namespace neox::neondot {

inline constexpr int kTileTokens = 3;
inline constexpr int kStepPanels = 1, kStepTokens = 2;

// Sums of u8 * s8 over the columns of one block, for codes of kBits bits. kOffset is what a code holds above its
// value, minus what the dot product takes off by itself: finish() returns the sum plus the `init` given to both ends.
// Kind is all that a product of unpacked codes depends on.
template <int kBits> struct SignedDot {
    using Weights = S8x64;
    using Sum = I32x16;
    static NEOX_INLINE Weights prepare(U8x64 a) { return signed_codes<kBits>(a); }
    static NEOX_INLINE Sum start(std::int32_t init) { return broadcast(init); }
    static NEOX_INLINE Sum add(Sum sum, Weights w, X4 x) {
        return {{vdotq_s32(sum.v[0], w.v[0], x.v), vdotq_s32(sum.v[1], w.v[1], x.v),
                 vdotq_s32(sum.v[2], w.v[2], x.v), vdotq_s32(sum.v[3], w.v[3], x.v)}};
    }
    static NEOX_INLINE I32x16 finish(Sum sum, std::int32_t) { return sum; }
};
template <int kBits, int kOffsetOf> struct Dot : SignedDot<kBits> {
    using Kind = SignedDot<kBits>;
    static constexpr int kOffset = kBits == 8 ? kOffsetOf - 128 : kOffsetOf;
};

}  // namespace neox::neondot
NEOX_TARGET_END
