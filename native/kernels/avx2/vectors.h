// Sixteen lanes on AVX2 with FMA and F16C, here two registers each: the vector types that kernels/generic is written in,
// but for the dot product of bytes, which each set brings in its lanes.h. That file names the set in NEOX_ISA and
// NEOX_ISA_TARGET before it includes this one.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <immintrin.h>

#include "kernels/target.h"
#include "quant/blocks.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
namespace neox::NEOX_ISA {

// Shapes of the register tiles that have no bytes in them, for 16 registers.
inline constexpr int kF32Tokens = 4;
inline constexpr int kPairTokens = 2, kManyPairTokens = 2;  // in f32 products of two panels
inline constexpr int kInt16Panels = 2, kInt16Tokens = 3;    // in products of 16-bit integers
inline constexpr int kPeakChains = 4;                       // independent sums in the measuring loops

struct F32x16 {
    __m256 low, high;
};
struct I32x16 {
    __m256i low, high;
};
struct U8x64 {
    __m256i low, high;
};
// 16 sums in f64.
struct F64x16 {
    __m256d v[4];
};

NEOX_INLINE F32x16 broadcast(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
NEOX_INLINE F32x16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
NEOX_INLINE void store(float* p, F32x16 a) {
    _mm256_storeu_ps(p, a.low);
    _mm256_storeu_ps(p + 8, a.high);
}
NEOX_INLINE F32x16 add(F32x16 a, F32x16 b) {
    return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}
NEOX_INLINE F32x16 sub(F32x16 a, F32x16 b) {
    return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
}
NEOX_INLINE F32x16 mul(F32x16 a, F32x16 b) {
    return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}
NEOX_INLINE F32x16 div(F32x16 a, F32x16 b) {
    return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
}
// a * b + c and c - a * b, rounded once.
NEOX_INLINE F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
NEOX_INLINE F32x16 fnma(F32x16 a, F32x16 b, F32x16 c) {
    return {_mm256_fnmadd_ps(a.low, b.low, c.low), _mm256_fnmadd_ps(a.high, b.high, c.high)};
}
// a > b ? a : b and a < b ? a : b, so b where one is a NaN.
NEOX_INLINE F32x16 max(F32x16 a, F32x16 b) {
    return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}
NEOX_INLINE F32x16 min(F32x16 a, F32x16 b) {
    return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
}
NEOX_INLINE F32x16 abs(F32x16 a) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
}
NEOX_INLINE F32x16 sqrt(F32x16 a) { return {_mm256_sqrt_ps(a.low), _mm256_sqrt_ps(a.high)}; }
// a < b ? yes : no.
NEOX_INLINE F32x16 select_less(F32x16 a, F32x16 b, F32x16 yes, F32x16 no) {
    return {_mm256_blendv_ps(no.low, yes.low, _mm256_cmp_ps(a.low, b.low, _CMP_LT_OQ)),
            _mm256_blendv_ps(no.high, yes.high, _mm256_cmp_ps(a.high, b.high, _CMP_LT_OQ))};
}
NEOX_INLINE std::uint32_t mask_of(__m256 low, __m256 high) {
    return static_cast<std::uint32_t>(_mm256_movemask_ps(low)) |
           static_cast<std::uint32_t>(_mm256_movemask_ps(high)) << 8;
}
NEOX_INLINE bool has_nan(F32x16 a) {
    return mask_of(_mm256_cmp_ps(a.low, a.low, _CMP_UNORD_Q), _mm256_cmp_ps(a.high, a.high, _CMP_UNORD_Q)) !=
           0;
}
// Bit i: lane i equals b's.
NEOX_INLINE std::uint32_t equal_mask(F32x16 a, F32x16 b) {
    return mask_of(_mm256_cmp_ps(a.low, b.low, _CMP_EQ_OQ), _mm256_cmp_ps(a.high, b.high, _CMP_EQ_OQ));
}

NEOX_INLINE F32x16 load_f16(const void* p) {
    const __m128i* halves = static_cast<const __m128i*>(p);
    return {_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves + 1))};
}
NEOX_INLINE __m256 widen_bf16(__m128i halves) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
NEOX_INLINE F32x16 load_bf16(const void* p) {
    const __m128i* halves = static_cast<const __m128i*>(p);
    return {widen_bf16(_mm_loadu_si128(halves)), widen_bf16(_mm_loadu_si128(halves + 1))};
}
NEOX_INLINE void store_f16(void* p, F32x16 a) {
    __m128i* halves = static_cast<__m128i*>(p);
    _mm_storeu_si128(halves, _mm256_cvtps_ph(a.low, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128(halves + 1, _mm256_cvtps_ph(a.high, _MM_FROUND_TO_NEAREST_INT));
}

// Sums over lanes, always by the tree (l, l + 8), (l, l + 4), (l, l + 2), (l, l + 1).
NEOX_INLINE float reduce_add(F32x16 a) {
    const __m256 s8 = _mm256_add_ps(a.low, a.high);
    const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_shuffle_ps(s2, s2, 1)));
}
NEOX_INLINE __m256 quarters_added(F32x16 a, F32x16 b) {  // 4 sums of a in the lower half, 4 of b in the upper
    const __m256 x = _mm256_add_ps(a.low, a.high), y = _mm256_add_ps(b.low, b.high);
    return _mm256_add_ps(_mm256_permute2f128_ps(x, y, 0x20), _mm256_permute2f128_ps(x, y, 0x31));
}
NEOX_INLINE __m256 pairs_added(__m256 a, __m256 b) {
    const __m256d x = _mm256_castps_pd(a), y = _mm256_castps_pd(b);
    return _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(x, y)),
                         _mm256_castpd_ps(_mm256_unpackhi_pd(x, y)));
}
NEOX_INLINE __m256 reduce_add_8_rows(const F32x16* r) {
    const __m256 a = pairs_added(quarters_added(r[0], r[1]), quarters_added(r[2], r[3]));
    const __m256 b = pairs_added(quarters_added(r[4], r[5]), quarters_added(r[6], r[7]));
    const __m256 sums = _mm256_add_ps(_mm256_shuffle_ps(a, b, 0x88), _mm256_shuffle_ps(a, b, 0xdd));
    return _mm256_permutevar8x32_ps(sums, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}
// Lane i of the result is reduce_add(rows[i]), bit for bit.
NEOX_INLINE F32x16 reduce_add_rows(const F32x16* rows) {
    return {reduce_add_8_rows(rows), reduce_add_8_rows(rows + 8)};
}
NEOX_INLINE float reduce_max(F32x16 a) {
    const __m256 m8 = _mm256_max_ps(a.low, a.high);
    const __m128 m4 = _mm_max_ps(_mm256_castps256_ps128(m8), _mm256_extractf128_ps(m8, 1));
    const __m128 m2 = _mm_max_ps(m4, _mm_movehl_ps(m4, m4));
    return _mm_cvtss_f32(_mm_max_ss(m2, _mm_shuffle_ps(m2, m2, 1)));
}

NEOX_INLINE F64x16 zero_f64() {
    const __m256d zero = _mm256_setzero_pd();
    return {{zero, zero, zero, zero}};
}
NEOX_INLINE F64x16 widen(F32x16 a) {
    return {{_mm256_cvtps_pd(_mm256_castps256_ps128(a.low)), _mm256_cvtps_pd(_mm256_extractf128_ps(a.low, 1)),
             _mm256_cvtps_pd(_mm256_castps256_ps128(a.high)),
             _mm256_cvtps_pd(_mm256_extractf128_ps(a.high, 1))}};
}
NEOX_INLINE F64x16 add(F64x16 sum, F32x16 a) {
    const F64x16 x = widen(a);
    return {{_mm256_add_pd(sum.v[0], x.v[0]), _mm256_add_pd(sum.v[1], x.v[1]),
             _mm256_add_pd(sum.v[2], x.v[2]), _mm256_add_pd(sum.v[3], x.v[3])}};
}
NEOX_INLINE F64x16 add_squares(F64x16 sum, F32x16 a) {
    const F64x16 x = widen(a);
    return {{_mm256_fmadd_pd(x.v[0], x.v[0], sum.v[0]), _mm256_fmadd_pd(x.v[1], x.v[1], sum.v[1]),
             _mm256_fmadd_pd(x.v[2], x.v[2], sum.v[2]), _mm256_fmadd_pd(x.v[3], x.v[3], sum.v[3])}};
}
NEOX_INLINE double reduce_add(F64x16 a) {
    const __m256d s4 = _mm256_add_pd(_mm256_add_pd(a.v[0], a.v[2]), _mm256_add_pd(a.v[1], a.v[3]));
    const __m128d s2 = _mm_add_pd(_mm256_castpd256_pd128(s4), _mm256_extractf128_pd(s4, 1));
    return _mm_cvtsd_f64(_mm_add_sd(s2, _mm_unpackhi_pd(s2, s2)));
}

NEOX_INLINE I32x16 broadcast(std::int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
NEOX_INLINE I32x16 load_i32(const void* p) {
    const __m256i* halves = static_cast<const __m256i*>(p);
    return {_mm256_loadu_si256(halves), _mm256_loadu_si256(halves + 1)};
}
NEOX_INLINE I32x16 load_i8(const void* p) {  // 16 signed bytes
    const __m128i bytes = _mm_loadu_si128(static_cast<const __m128i*>(p));
    return {_mm256_cvtepi8_epi32(bytes), _mm256_cvtepi8_epi32(_mm_unpackhi_epi64(bytes, bytes))};
}
NEOX_INLINE void store(std::int32_t* p, I32x16 a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.low);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p) + 1, a.high);
}
NEOX_INLINE I32x16 add(I32x16 a, I32x16 b) {
    return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}
NEOX_INLINE I32x16 sub(I32x16 a, I32x16 b) {
    return {_mm256_sub_epi32(a.low, b.low), _mm256_sub_epi32(a.high, b.high)};
}
NEOX_INLINE I32x16 min(I32x16 a, I32x16 b) {
    return {_mm256_min_epi32(a.low, b.low), _mm256_min_epi32(a.high, b.high)};
}
NEOX_INLINE I32x16 max(I32x16 a, I32x16 b) {
    return {_mm256_max_epi32(a.low, b.low), _mm256_max_epi32(a.high, b.high)};
}
NEOX_INLINE I32x16 bit_and(I32x16 a, I32x16 b) {
    return {_mm256_and_si256(a.low, b.low), _mm256_and_si256(a.high, b.high)};
}
template <int kBits> NEOX_INLINE I32x16 shift_left(I32x16 a) {
    return {_mm256_slli_epi32(a.low, kBits), _mm256_slli_epi32(a.high, kBits)};
}
template <int kBits> NEOX_INLINE I32x16 shift_right(I32x16 a) {  // zeros come in
    return {_mm256_srli_epi32(a.low, kBits), _mm256_srli_epi32(a.high, kBits)};
}
template <int kBits> NEOX_INLINE I32x16 shift_right_signed(I32x16 a) {
    return {_mm256_srai_epi32(a.low, kBits), _mm256_srai_epi32(a.high, kBits)};
}
// The same. Without it GCC copies sums of products from register to register and spills them.
NEOX_INLINE I32x16 kept(I32x16 a) {
#if defined(__GNUC__)
    __asm__("" : "+x"(a.low), "+x"(a.high));
#endif
    return a;
}
NEOX_INLINE std::int32_t reduce_add(I32x16 a) {
    const __m256i s8 = _mm256_add_epi32(a.low, a.high);
    const __m128i s4 = _mm_add_epi32(_mm256_castsi256_si128(s8), _mm256_extracti128_si256(s8, 1));
    const __m128i s2 = _mm_add_epi32(s4, _mm_shuffle_epi32(s4, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s2, _mm_shuffle_epi32(s2, 0xb1)));
}
NEOX_INLINE std::int32_t reduce_max(I32x16 a) {
    const __m256i m8 = _mm256_max_epi32(a.low, a.high);
    const __m128i m4 = _mm_max_epi32(_mm256_castsi256_si128(m8), _mm256_extracti128_si256(m8, 1));
    const __m128i m2 = _mm_max_epi32(m4, _mm_shuffle_epi32(m4, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epi32(m2, _mm_shuffle_epi32(m2, 0xb1)));
}
NEOX_INLINE void store_i8(std::int8_t* p, I32x16 a) {         // values in -128..127
    const __m256i words = _mm256_packs_epi32(a.low, a.high);  // 0-3, 8-11, 4-7, 12-15
    const __m256i ordered = _mm256_permute4x64_epi64(words, 0xd8);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm_packs_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1)));
}

NEOX_INLINE F32x16 to_f32(I32x16 a) { return {_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)}; }
NEOX_INLINE I32x16 round_to_i32(F32x16 a) {  // to nearest, ties to even
    const int mode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    return {_mm256_cvtps_epi32(_mm256_round_ps(a.low, mode)),
            _mm256_cvtps_epi32(_mm256_round_ps(a.high, mode))};
}
// table[index], index in [0, 16).
NEOX_INLINE __m256 lookup_half(__m256 first, __m256 second, __m256i index) {
    const __m256 is_second = _mm256_castsi256_ps(_mm256_slli_epi32(index, 28));  // bit 3 becomes the sign
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(first, index), _mm256_permutevar8x32_ps(second, index),
                            is_second);
}
NEOX_INLINE F32x16 lookup(const float* table, I32x16 index) {
    const F32x16 values = load(table);
    return {lookup_half(values.low, values.high, index.low),
            lookup_half(values.low, values.high, index.high)};
}
NEOX_INLINE I32x16 bits_of(F32x16 a) { return {_mm256_castps_si256(a.low), _mm256_castps_si256(a.high)}; }
NEOX_INLINE F32x16 f32_of_bits(I32x16 a) { return {_mm256_castsi256_ps(a.low), _mm256_castsi256_ps(a.high)}; }

// Integer products. A U8x64 holds 4 columns of 16 rows: byte 4 r + j is column j of row r.
NEOX_INLINE U8x64 load_u8(const void* p) {
    const __m256i* halves = static_cast<const __m256i*>(p);
    return {_mm256_loadu_si256(halves), _mm256_loadu_si256(halves + 1)};
}
NEOX_INLINE void store(void* p, U8x64 a) {
    _mm256_storeu_si256(static_cast<__m256i*>(p), a.low);
    _mm256_storeu_si256(static_cast<__m256i*>(p) + 1, a.high);
}
NEOX_INLINE U8x64 bit_or(U8x64 a, U8x64 b) {
    return {_mm256_or_si256(a.low, b.low), _mm256_or_si256(a.high, b.high)};
}
NEOX_INLINE __m256i field_of(__m256i a, int shift, int mask) {
    const __m256i moved = shift >= 0 ? _mm256_srli_epi16(a, shift) : _mm256_slli_epi16(a, -shift);
    return _mm256_and_si256(moved, _mm256_set1_epi8(static_cast<char>(mask)));
}
// (byte >> shift) & mask, a negative shift going left; the mask leaves out what comes in from a neighbour.
NEOX_INLINE U8x64 field(U8x64 a, int shift, int mask) {
    return {field_of(a.low, shift, mask), field_of(a.high, shift, mask)};
}
// table[byte] for bytes below 16.
NEOX_INLINE U8x64 lookup(const std::uint8_t* table, U8x64 a) {
    const __m128i entries = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    const __m256i both = _mm256_broadcastsi128_si256(entries);
    return {_mm256_shuffle_epi8(both, a.low), _mm256_shuffle_epi8(both, a.high)};
}
NEOX_INLINE I32x16 as_i32(U8x64 a) { return {a.low, a.high}; }

// Four activations, the same for every row.
struct X4 {
    __m256i v;
};
NEOX_INLINE X4 broadcast_x4(const std::int8_t* x) {
    std::int32_t four;
    std::memcpy(&four, x, 4);
    return {_mm256_set1_epi32(four)};
}

NEOX_INLINE void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

}  // namespace neox::NEOX_ISA
NEOX_TARGET_END
