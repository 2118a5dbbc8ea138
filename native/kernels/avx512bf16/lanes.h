// The lanes of AVX-512 VNNI, and on them the instructions of AVX-512 BF16.
#pragma once

#include "kernels/avx512vnni/lanes.h"

#undef NEOX_ISA
#undef NEOX_ISA_TARGET
#define NEOX_ISA avx512bf16
#define NEOX_ISA_TARGET "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
namespace neox::avx512bf16 {

using namespace avx512vnni;

// 16 pairs of bf16 values, the first of a pair in the lower half of its lane.
struct Bf16x32 {
    __m512i v;
};
NEOX_INLINE Bf16x32 load_pairs(const std::uint32_t* p) { return {_mm512_loadu_si512(p)}; }
NEOX_INLINE void store_pairs(std::uint32_t* p, Bf16x32 a) { _mm512_storeu_si512(p, a.v); }
NEOX_INLINE Bf16x32 broadcast_pair(std::uint32_t pair) {
    return {_mm512_set1_epi32(static_cast<std::int32_t>(pair))};
}
// The 32 values of both, neighbours making a pair. To nearest, ties to even; subnormal values become zeros.
NEOX_INLINE Bf16x32 bf16_neighbours(F32x16 first, F32x16 second) {
    return {(__m512i)_mm512_cvtne2ps_pbh(second.v, first.v)};
}
// Lane i: the pair of first's and second's, rounded likewise.
NEOX_INLINE Bf16x32 bf16_pairs(F32x16 first, F32x16 second) {
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23,
                                           7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return {_mm512_permutexvar_epi16(order, bf16_neighbours(first, second).v)};
}
// The second values of the pairs are added first; see generic/matmul_bf16.h.
NEOX_INLINE F32x16 dot_bf16(F32x16 sum, Bf16x32 a, Bf16x32 b) {
    return {_mm512_dpbf16_ps(sum.v, (__m512bh)a.v, (__m512bh)b.v)};
}

}  // namespace neox::avx512bf16
NEOX_TARGET_END
