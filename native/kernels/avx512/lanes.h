// Sixteen lanes on AVX-512 without VNNI, whose byte products are sums of pairs in 16 bits.
#pragma once

#include "kernels/target.h"

#define NEOX_ISA avx512
#define NEOX_ISA_TARGET "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c"

#include "kernels/avx512/vectors.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
namespace neox::avx512 {

// Shapes of the register tiles, for 32 registers.
inline constexpr int kTilePanels = 2;
inline constexpr int kTileTokens = 4;
inline constexpr bool kOverlap = false, kSplitScales = false;
// Of a step of several tokens, with two planes of activations: 12 integer and 6 float accumulators.
inline constexpr int kStepPanels = 2, kStepTokens = 3;

// Sums of u8 * s8 over the columns of one block, for codes of kBits bits. kOffset is what a code holds above its
// value, minus what the dot product takes off by itself: finish() returns the sum plus the `init` given to both ends.
// Kind is all that a product of unpacked codes depends on.

// Left to itself, GCC takes a chain of additions apart into a tree: it then does all products first and spills them.
NEOX_INLINE __m512i chained(__m512i sum) {
#if defined(__GNUC__)
    __asm__("" : "+v"(sum));
#endif
    return sum;
}
NEOX_INLINE __m512i pairs_to_i32(__m512i pairs) { return _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)); }

// The 16-bit sums of pairs would overflow for codes up to 255, so the sign moves to the activation:
// |w| * (x with the sign of w), |w| <= 128 and |x| <= 127, stays below 2^15.
struct SignedDot {
    struct Weights {
        __m512i magnitude;
        __mmask64 is_negative;
    };
    using Sum = I32x16;
    static NEOX_INLINE Weights prepare(U8x64 a) {
        const __m512i value = _mm512_xor_si512(a.v, _mm512_set1_epi8(-128));
        return {_mm512_abs_epi8(value), _mm512_movepi8_mask(value)};
    }
    static NEOX_INLINE Sum start(std::int32_t init) { return {_mm512_set1_epi32(init)}; }
    static NEOX_INLINE Sum add(Sum sum, const Weights& w, X4 x) {
        const __m512i value = _mm512_mask_sub_epi8(x.v, w.is_negative, _mm512_setzero_si512(), x.v);
        return {chained(_mm512_add_epi32(sum.v, pairs_to_i32(_mm512_maddubs_epi16(w.magnitude, value))))};
    }
    static NEOX_INLINE I32x16 finish(Sum sum, std::int32_t) { return sum; }
};
// Codes up to 15: all 8 sums of pairs of a block fit into 16 bits (8 * 2 * 15 * 127 < 2^15).
struct BlockDot {
    using Weights = U8x64;
    struct Sum {
        __m512i pairs;  // 16-bit lanes
    };
    static NEOX_INLINE Weights prepare(U8x64 a) { return a; }
    static NEOX_INLINE Sum start(std::int32_t) { return {_mm512_setzero_si512()}; }
    static NEOX_INLINE Sum add(Sum sum, Weights w, X4 x) {
        return {chained(_mm512_add_epi16(sum.pairs, _mm512_maddubs_epi16(w.v, x.v)))};
    }
    static NEOX_INLINE I32x16 finish(Sum sum, std::int32_t init) {
        return {_mm512_add_epi32(pairs_to_i32(sum.pairs), _mm512_set1_epi32(init))};
    }
};
// Codes up to 63: kBatch sums of pairs fit into 16 bits together and are widened once.
template <int kBatch> struct BatchDot {
    using Weights = U8x64;
    struct Sum {
        __m512i pairs;  // 16-bit lanes
        __m512i wide;
        int n;  // sums of pairs in `pairs`; known when compiling
    };
    static NEOX_INLINE Weights prepare(U8x64 a) { return a; }
    static NEOX_INLINE Sum start(std::int32_t init) {
        return {_mm512_setzero_si512(), _mm512_set1_epi32(init), 0};
    }
    static NEOX_INLINE Sum add(const Sum& sum, Weights w, X4 x) {
        const __m512i pairs = _mm512_maddubs_epi16(w.v, x.v);
        if (sum.n == 0) return {pairs, sum.wide, 1};
        if (sum.n == kBatch) return {pairs, chained(_mm512_add_epi32(sum.wide, pairs_to_i32(sum.pairs))), 1};
        return {chained(_mm512_add_epi16(sum.pairs, pairs)), sum.wide, sum.n + 1};
    }
    static NEOX_INLINE I32x16 finish(const Sum& sum, std::int32_t) {
        return {_mm512_add_epi32(sum.wide, pairs_to_i32(sum.pairs))};
    }
};

template <class KindOf, int kOffsetOf> struct DotOf : KindOf {
    using Kind = KindOf;
    static constexpr int kOffset = kOffsetOf;
};
// 4 * 2 * 31 * 127 and 2 * 2 * 63 * 127 are below 2^15.
template <int kBits, int kOffset> struct Dot : DotOf<BlockDot, kOffset> {};
template <int kOffset> struct Dot<5, kOffset> : DotOf<BatchDot<4>, kOffset> {};
template <int kOffset> struct Dot<6, kOffset> : DotOf<BatchDot<2>, kOffset> {};
template <> struct Dot<8, 128> : DotOf<SignedDot, 0> {};

// sum + the products of the signed 16-bit halves of a and b, low and high, lane by lane.
NEOX_INLINE I32x16 add_pair_products(I32x16 sum, I32x16 a, I32x16 b) {
    return {_mm512_add_epi32(sum.v, _mm512_madd_epi16(a.v, b.v))};
}

}  // namespace neox::avx512
NEOX_TARGET_END
