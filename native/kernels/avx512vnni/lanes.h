// Sixteen lanes on AVX-512 with the dot product of bytes (VNNI).
#pragma once

#include "kernels/target.h"

#define NEOX_ISA avx512vnni
#define NEOX_ISA_TARGET "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"

#include "kernels/avx512/vectors.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
namespace neox::avx512vnni {

// Shapes of the register tiles, for 32 registers.
inline constexpr int kTilePanels = 2;
inline constexpr int kTileTokens = 4;
inline constexpr bool kOverlap = true, kSplitScales = true;
// Of a step, with two planes of activations: 16 integer and 8 float accumulators. A second pass over a tile costs more
// than the registers that a fourth token lacks.
inline constexpr int kStepPanels = 2, kStepTokens = 4;

// Sums of u8 * s8 over the columns of one block, for codes of kBits bits. kOffset is what a code holds above its
// value, minus what the dot product takes off by itself: finish() returns the sum plus the `init` given to both ends.
// Kind is all that a product of unpacked codes depends on.
struct VnniDot {
    using Weights = U8x64;
    using Sum = I32x16;
    static NEOX_INLINE Weights prepare(U8x64 a) { return a; }
    static NEOX_INLINE Sum start(std::int32_t init) { return {_mm512_set1_epi32(init)}; }
    static NEOX_INLINE Sum add(Sum sum, Weights w, X4 x) { return {_mm512_dpbusd_epi32(sum.v, w.v, x.v)}; }
    static NEOX_INLINE I32x16 finish(Sum sum, std::int32_t) { return sum; }
};
template <int kBits, int kOffsetOf> struct Dot : VnniDot {
    using Kind = VnniDot;
    static constexpr int kOffset = kOffsetOf;
};

// sum + the products of the signed 16-bit halves of a and b, low and high, lane by lane.
NEOX_INLINE I32x16 add_pair_products(I32x16 sum, I32x16 a, I32x16 b) {
    return {_mm512_dpwssd_epi32(sum.v, a.v, b.v)};
}

}  // namespace neox::avx512vnni
NEOX_TARGET_END
