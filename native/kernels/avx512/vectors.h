// Sixteen lanes on AVX-512, here one register each: the vector types that kernels/generic is written in, but for the dot
// product of bytes, which each set brings in its lanes.h. That file names the set in NEOX_ISA and NEOX_ISA_TARGET before
// it includes this one.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/target.h"
#include "quant/blocks.h"

// GCC 12 takes the deliberately undefined operands of its own AVX-512 intrinsics for mistakes (GCC bug
// 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
namespace neox::NEOX_ISA {

// Shapes of the register tiles that have no bytes in them, for 32 registers.
inline constexpr int kF32Tokens = 6;
inline constexpr int kPairTokens = 6, kManyPairTokens = 12;  // in f32 products of two panels
inline constexpr int kInt16Panels = 2, kInt16Tokens = 12;    // in products of 16-bit integers
inline constexpr int kPeakChains = 12;                       // independent sums in the measuring loops

struct F32x16 {
    __m512 v;
};
struct I32x16 {
    __m512i v;
};
struct U8x64 {
    __m512i v;
};
// 16 sums in f64.
struct F64x16 {
    __m512d low, high;
};

NEOX_INLINE F32x16 broadcast(float x) { return {_mm512_set1_ps(x)}; }
NEOX_INLINE F32x16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
NEOX_INLINE void store(float* p, F32x16 a) { _mm512_storeu_ps(p, a.v); }
NEOX_INLINE F32x16 add(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
NEOX_INLINE F32x16 sub(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
NEOX_INLINE F32x16 mul(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
NEOX_INLINE F32x16 div(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
// a * b + c and c - a * b, rounded once.
NEOX_INLINE F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
NEOX_INLINE F32x16 fnma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
// a > b ? a : b and a < b ? a : b, so b where one is a NaN.
NEOX_INLINE F32x16 max(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
NEOX_INLINE F32x16 min(F32x16 a, F32x16 b) { return {_mm512_min_ps(a.v, b.v)}; }
NEOX_INLINE F32x16 abs(F32x16 a) { return {_mm512_abs_ps(a.v)}; }
NEOX_INLINE F32x16 sqrt(F32x16 a) { return {_mm512_sqrt_ps(a.v)}; }
// a < b ? yes : no.
NEOX_INLINE F32x16 select_less(F32x16 a, F32x16 b, F32x16 yes, F32x16 no) {
    return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), no.v, yes.v)};
}
NEOX_INLINE bool has_nan(F32x16 a) { return _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q) != 0; }
// Bit i: lane i equals b's.
NEOX_INLINE std::uint32_t equal_mask(F32x16 a, F32x16 b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ); }

NEOX_INLINE F32x16 load_f16(const void* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)))};
}
NEOX_INLINE F32x16 load_bf16(const void* p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
}
NEOX_INLINE void store_f16(void* p, F32x16 a) {
    _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}

// Sums over lanes, always by the tree (l, l + 8), (l, l + 4), (l, l + 2), (l, l + 1).
NEOX_INLINE float reduce_add(F32x16 a) {
    const __m256 s8 = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
    const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_shuffle_ps(s2, s2, 1)));
}
NEOX_INLINE __m512 halves_added(__m512 a, __m512 b) {  // lanes of a in the lower half, of b in the upper
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
}
NEOX_INLINE __m512 quarters_added(__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
}
NEOX_INLINE __m512 pairs_added(__m512 a, __m512 b) {
    const __m512d x = _mm512_castps_pd(a), y = _mm512_castps_pd(b);
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
}
NEOX_INLINE __m512 singles_added(__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xdd));
}
// Lane i of the result is reduce_add(rows[i]), bit for bit.
NEOX_INLINE F32x16 reduce_add_rows(const F32x16* rows) {
    __m512 q[4];
    for (int i = 0; i < 4; ++i) {
        const F32x16* r = rows + 4 * i;
        q[i] = quarters_added(halves_added(r[0].v, r[1].v), halves_added(r[2].v, r[3].v));
    }
    const __m512 sums =
        singles_added(pairs_added(q[0], q[1]), pairs_added(q[2], q[3]));  // lane 4 i + j: row i + 4 j
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return {_mm512_permutexvar_ps(order, sums)};
}
NEOX_INLINE float reduce_max(F32x16 a) { return _mm512_reduce_max_ps(a.v); }

NEOX_INLINE F64x16 zero_f64() { return {_mm512_setzero_pd(), _mm512_setzero_pd()}; }
NEOX_INLINE F64x16 add(F64x16 sum, F32x16 a) {
    return {_mm512_add_pd(sum.low, _mm512_cvtps_pd(_mm512_castps512_ps256(a.v))),
            _mm512_add_pd(sum.high, _mm512_cvtps_pd(_mm512_extractf32x8_ps(a.v, 1)))};
}
NEOX_INLINE F64x16 add_squares(F64x16 sum, F32x16 a) {
    const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(a.v));
    const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(a.v, 1));
    return {_mm512_fmadd_pd(low, low, sum.low), _mm512_fmadd_pd(high, high, sum.high)};
}
NEOX_INLINE double reduce_add(F64x16 a) {
    const __m512d s8 = _mm512_add_pd(a.low, a.high);
    const __m256d s4 = _mm256_add_pd(_mm512_castpd512_pd256(s8), _mm512_extractf64x4_pd(s8, 1));
    const __m128d s2 = _mm_add_pd(_mm256_castpd256_pd128(s4), _mm256_extractf128_pd(s4, 1));
    return _mm_cvtsd_f64(_mm_add_sd(s2, _mm_unpackhi_pd(s2, s2)));
}

NEOX_INLINE I32x16 broadcast(std::int32_t x) { return {_mm512_set1_epi32(x)}; }
NEOX_INLINE I32x16 load_i32(const void* p) { return {_mm512_loadu_si512(p)}; }
NEOX_INLINE I32x16 load_i8(const void* p) {  // 16 signed bytes
    return {_mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p)))};
}
NEOX_INLINE void store(std::int32_t* p, I32x16 a) { _mm512_storeu_si512(p, a.v); }
NEOX_INLINE I32x16 add(I32x16 a, I32x16 b) { return {_mm512_add_epi32(a.v, b.v)}; }
NEOX_INLINE I32x16 sub(I32x16 a, I32x16 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
NEOX_INLINE I32x16 min(I32x16 a, I32x16 b) { return {_mm512_min_epi32(a.v, b.v)}; }
NEOX_INLINE I32x16 max(I32x16 a, I32x16 b) { return {_mm512_max_epi32(a.v, b.v)}; }
NEOX_INLINE I32x16 bit_and(I32x16 a, I32x16 b) { return {_mm512_and_si512(a.v, b.v)}; }
template <int kBits> NEOX_INLINE I32x16 shift_left(I32x16 a) { return {_mm512_slli_epi32(a.v, kBits)}; }
template <int kBits> NEOX_INLINE I32x16 shift_right(I32x16 a) {  // zeros come in
    return {_mm512_srli_epi32(a.v, kBits)};
}
template <int kBits> NEOX_INLINE I32x16 shift_right_signed(I32x16 a) {
    return {_mm512_srai_epi32(a.v, kBits)};
}
NEOX_INLINE std::int32_t reduce_add(I32x16 a) {
    const __m256i s8 = _mm256_add_epi32(_mm512_castsi512_si256(a.v), _mm512_extracti64x4_epi64(a.v, 1));
    const __m128i s4 = _mm_add_epi32(_mm256_castsi256_si128(s8), _mm256_extracti128_si256(s8, 1));
    const __m128i s2 = _mm_add_epi32(s4, _mm_shuffle_epi32(s4, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s2, _mm_shuffle_epi32(s2, 0xb1)));
}
NEOX_INLINE std::int32_t reduce_max(I32x16 a) { return _mm512_reduce_max_epi32(a.v); }
// The same. Without it GCC copies sums of products from register to register and spills them.
NEOX_INLINE I32x16 kept(I32x16 a) {
#if defined(__GNUC__)
    __asm__("" : "+v"(a.v));
#endif
    return a;
}
NEOX_INLINE void store_i8(std::int8_t* p, I32x16 a) {  // values in -128..127
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
}

NEOX_INLINE F32x16 to_f32(I32x16 a) { return {_mm512_cvtepi32_ps(a.v)}; }
NEOX_INLINE I32x16 round_to_i32(F32x16 a) {  // to nearest, ties to even
    return {_mm512_cvt_roundps_epi32(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
// table[index], index in [0, 16).
NEOX_INLINE F32x16 lookup(const float* table, I32x16 index) {
    return {_mm512_permutexvar_ps(index.v, _mm512_loadu_ps(table))};
}
NEOX_INLINE I32x16 bits_of(F32x16 a) { return {_mm512_castps_si512(a.v)}; }
NEOX_INLINE F32x16 f32_of_bits(I32x16 a) { return {_mm512_castsi512_ps(a.v)}; }

// Integer products. A U8x64 holds 4 columns of 16 rows: byte 4 r + j is column j of row r.
NEOX_INLINE U8x64 load_u8(const void* p) { return {_mm512_loadu_si512(p)}; }
NEOX_INLINE void store(void* p, U8x64 a) { _mm512_storeu_si512(p, a.v); }
NEOX_INLINE U8x64 bit_or(U8x64 a, U8x64 b) { return {_mm512_or_si512(a.v, b.v)}; }
// (byte >> shift) & mask, a negative shift going left; the mask leaves out what comes in from a neighbour.
NEOX_INLINE U8x64 field(U8x64 a, int shift, int mask) {
    const __m512i moved = shift >= 0 ? _mm512_srli_epi16(a.v, static_cast<unsigned>(shift))
                                     : _mm512_slli_epi16(a.v, static_cast<unsigned>(-shift));
    return {_mm512_and_si512(moved, _mm512_set1_epi8(static_cast<char>(mask)))};
}
// table[byte] for bytes below 16.
NEOX_INLINE U8x64 lookup(const std::uint8_t* table, U8x64 a) {
    const __m128i entries = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return {_mm512_shuffle_epi8(_mm512_broadcast_i32x4(entries), a.v)};
}
NEOX_INLINE I32x16 as_i32(U8x64 a) { return {a.v}; }

// Four activations, the same for every row.
struct X4 {
    __m512i v;
};
NEOX_INLINE X4 broadcast_x4(const std::int8_t* x) {
    std::int32_t four;
    std::memcpy(&four, x, 4);
    return {_mm512_set1_epi32(four)};
}

NEOX_INLINE void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

// See generic/matmul_step.h. With 32 registers a compiler reads far ahead, clang in any order.
#if defined(__GNUC__)
NEOX_INLINE void in_source_order(const std::byte*& p) { __asm__ volatile("" : "+r"(p)); }
NEOX_INLINE void in_source_order(F32x16& value) { __asm__ volatile("" : "+v"(value.v)); }
NEOX_INLINE void in_source_order(I32x16& value) { __asm__ volatile("" : "+v"(value.v)); }
#endif

}  // namespace neox::NEOX_ISA
NEOX_TARGET_END
