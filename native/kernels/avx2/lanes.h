// Sixteen lanes on AVX2, whose byte products are sums of pairs in 16 bits.
#pragma once

#include "kernels/target.h"

#define NEOX_ISA avx2
#define NEOX_ISA_TARGET "avx2,fma,f16c"

#include "kernels/avx2/vectors.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
namespace neox::avx2 {

// Shapes of the register tiles, for 16 registers.
inline constexpr int kTilePanels = 1;
inline constexpr int kTileTokens = 4;
inline constexpr bool kOverlap = false, kSplitScales = false;
inline constexpr int kStepPanels = 1, kStepTokens = 3;

// Sums of u8 * s8 over the columns of one block, for codes of kBits bits. kOffset is what a code holds above its
// value, minus what the dot product takes off by itself: finish() returns the sum plus the `init` given to both ends.
// Kind is all that a product of unpacked codes depends on.

// Left to itself, GCC takes a chain of additions apart into a tree: it then does all products first and spills them.
NEOX_INLINE __m256i chained(__m256i sum) {
#if defined(__GNUC__)
    __asm__("" : "+x"(sum));
#endif
    return sum;
}
NEOX_INLINE __m256i pairs_to_i32(__m256i pairs) { return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)); }

// The 16-bit sums of pairs would overflow for codes up to 255, so the sign moves to the activation:
// |w| * (x with the sign of w), |w| <= 128 and |x| <= 127, stays below 2^15.
struct SignedDot {
    struct Weights {
        __m256i magnitude[2];
        __m256i value[2];
    };
    using Sum = I32x16;
    static NEOX_INLINE Weights prepare(U8x64 a) {
        const __m256i flip = _mm256_set1_epi8(-128);
        const __m256i low = _mm256_xor_si256(a.low, flip), high = _mm256_xor_si256(a.high, flip);
        return {{_mm256_abs_epi8(low), _mm256_abs_epi8(high)}, {low, high}};
    }
    static NEOX_INLINE Sum start(std::int32_t init) { return broadcast(init); }
    static NEOX_INLINE __m256i add_half(__m256i sum, __m256i magnitude, __m256i value, __m256i x) {
        const __m256i pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(x, value));
        return chained(_mm256_add_epi32(sum, pairs_to_i32(pairs)));
    }
    static NEOX_INLINE Sum add(Sum sum, const Weights& w, X4 x) {
        return {add_half(sum.low, w.magnitude[0], w.value[0], x.v),
                add_half(sum.high, w.magnitude[1], w.value[1], x.v)};
    }
    static NEOX_INLINE I32x16 finish(Sum sum, std::int32_t) { return sum; }
};
// Codes up to 15: all 8 sums of pairs of a block fit into 16 bits (8 * 2 * 15 * 127 < 2^15).
struct BlockDot {
    using Weights = U8x64;
    struct Sum {
        __m256i low, high;  // 16-bit lanes
    };
    static NEOX_INLINE Weights prepare(U8x64 a) { return a; }
    static NEOX_INLINE Sum start(std::int32_t) { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
    static NEOX_INLINE Sum add(Sum sum, Weights w, X4 x) {
        return {chained(_mm256_add_epi16(sum.low, _mm256_maddubs_epi16(w.low, x.v))),
                chained(_mm256_add_epi16(sum.high, _mm256_maddubs_epi16(w.high, x.v)))};
    }
    static NEOX_INLINE I32x16 finish(Sum sum, std::int32_t init) {
        const __m256i first = _mm256_set1_epi32(init);
        return {_mm256_add_epi32(pairs_to_i32(sum.low), first),
                _mm256_add_epi32(pairs_to_i32(sum.high), first)};
    }
};
// Codes up to 63: kBatch sums of pairs fit into 16 bits together and are widened once.
template <int kBatch> struct BatchDot {
    using Weights = U8x64;
    struct Sum {
        __m256i low, high;  // 16-bit lanes
        I32x16 wide;
        int n;  // sums of pairs in low and high; known when compiling
    };
    static NEOX_INLINE Weights prepare(U8x64 a) { return a; }
    static NEOX_INLINE Sum start(std::int32_t init) {
        return {_mm256_setzero_si256(), _mm256_setzero_si256(), broadcast(init), 0};
    }
    static NEOX_INLINE Sum add(const Sum& sum, Weights w, X4 x) {
        const __m256i low = _mm256_maddubs_epi16(w.low, x.v), high = _mm256_maddubs_epi16(w.high, x.v);
        if (sum.n == 0) return {low, high, sum.wide, 1};
        if (sum.n == kBatch) {
            const I32x16 wide{chained(_mm256_add_epi32(sum.wide.low, pairs_to_i32(sum.low))),
                              chained(_mm256_add_epi32(sum.wide.high, pairs_to_i32(sum.high)))};
            return {low, high, wide, 1};
        }
        return {chained(_mm256_add_epi16(sum.low, low)), chained(_mm256_add_epi16(sum.high, high)), sum.wide,
                sum.n + 1};
    }
    static NEOX_INLINE I32x16 finish(const Sum& sum, std::int32_t) {
        return {_mm256_add_epi32(sum.wide.low, pairs_to_i32(sum.low)),
                _mm256_add_epi32(sum.wide.high, pairs_to_i32(sum.high))};
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
    return {_mm256_add_epi32(sum.low, _mm256_madd_epi16(a.low, b.low)),
            _mm256_add_epi32(sum.high, _mm256_madd_epi16(a.high, b.high))};
}

}  // namespace neox::avx2
NEOX_TARGET_END
