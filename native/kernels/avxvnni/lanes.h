// Sixteen lanes on AVX2 with the dot product of bytes in its VEX form (AVX-VNNI).
#pragma once

#include "kernels/target.h"

#define NEOX_ISA avxvnni
#define NEOX_ISA_TARGET "avxvnni,avx2,fma,f16c"

#include "kernels/avx2/vectors.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
namespace neox::avxvnni {

// Shapes of the register tiles, for 16 registers.
inline constexpr int kTilePanels = 1;
inline constexpr int kTileTokens = 4;
inline constexpr bool kOverlap = false, kSplitScales = false;
inline constexpr int kStepPanels = 1, kStepTokens = 3;

// Sums of u8 * s8 over the columns of one block, for codes of kBits bits. kOffset is what a code holds above its
// value, minus what the dot product takes off by itself: finish() returns the sum plus the `init` given to both ends.
// Kind is all that a product of unpacked codes depends on.
struct VnniDot {
    using Weights = U8x64;
    using Sum = I32x16;
    static NEOX_INLINE Weights prepare(U8x64 a) { return a; }
    static NEOX_INLINE Sum start(std::int32_t init) { return broadcast(init); }
    static NEOX_INLINE Sum add(Sum sum, Weights w, X4 x) {
        return {_mm256_dpbusd_avx_epi32(sum.low, w.low, x.v), _mm256_dpbusd_avx_epi32(sum.high, w.high, x.v)};
    }
    static NEOX_INLINE I32x16 finish(Sum sum, std::int32_t) { return sum; }
};
template <int kBits, int kOffsetOf> struct Dot : VnniDot {
    using Kind = VnniDot;
    static constexpr int kOffset = kOffsetOf;
};

// sum + the products of the signed 16-bit halves of a and b, low and high, lane by lane.
NEOX_INLINE I32x16 add_pair_products(I32x16 sum, I32x16 a, I32x16 b) {
    return {_mm256_dpwssd_avx_epi32(sum.low, a.low, b.low),
            _mm256_dpwssd_avx_epi32(sum.high, a.high, b.high)};
}

}  // namespace neox::avxvnni
NEOX_TARGET_END
