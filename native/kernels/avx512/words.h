// A 32-bit word of each of 16 rows in one register; what works on four rows at a time in kernels/words.h works within each
// four of them here. Only for compilers with vectors of their own.
#pragma once

#include "kernels/avx512/lanes.h"

#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 12)
#define NEOX_HAS_WIDE_WORDS 1

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
namespace neox::avx512 {

inline constexpr int kGroupRows = 16;

using Words = std::uint32_t __attribute__((vector_size(64)));

NEOX_INLINE Words low_halves(Words a, Words b) {
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
}
NEOX_INLINE Words high_halves(Words a, Words b) {
    return __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
}

// The bytes of four rows, byte[row][i], as byte[i][row].
NEOX_INLINE Words transpose_bytes(Words words) {
    const __m512i order =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    return reinterpret_cast<Words>(_mm512_shuffle_epi8(reinterpret_cast<__m512i>(words), order));
}

// Turns four words of each of 16 rows, four rows by four, words[row][4 fours][i], into words[i][16 rows].
NEOX_INLINE void transpose(Words (&words)[4]) {
    const Words a = low_halves(words[0], words[2]), b = low_halves(words[1], words[3]),
                c = high_halves(words[0], words[2]), d = high_halves(words[1], words[3]);
    words[0] = low_halves(a, b);
    words[1] = high_halves(a, b);
    words[2] = low_halves(c, d);
    words[3] = high_halves(c, d);
}

// 16 rows in memory, `stride` bytes apart.
struct RowGroup {
    const std::byte* first;
    std::size_t stride;

    NEOX_INLINE const std::byte* at(int row, std::size_t offset) const {
        return first + static_cast<std::size_t>(row) * stride + offset;
    }
    // The word at `offset` of each row.
    NEOX_INLINE Words word(std::size_t offset) const {
        std::uint32_t w[16];
        for (int row = 0; row < 16; ++row) std::memcpy(&w[row], at(row, offset), 4);
        return Words{w[0], w[1], w[2],  w[3],  w[4],  w[5],  w[6],  w[7],
                     w[8], w[9], w[10], w[11], w[12], w[13], w[14], w[15]};
    }
    // Four words of every fourth row from `row` on.
    NEOX_INLINE Words four_words(int row, std::size_t offset) const {
        const auto four = [&](int i) {
            return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at(row + 4 * i, offset)));
        };
        const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(four(0)), four(1), 1),
                      high = _mm256_inserti128_si256(_mm256_castsi128_si256(four(2)), four(3), 1);
        return reinterpret_cast<Words>(_mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1));
    }
    // The n words from `offset` on.
    template <int n> NEOX_INLINE void words(std::size_t offset, Words* to) const {
        NEOX_UNROLL
        for (int i = 0; i < n / 4; ++i) {
            Words four[4];
            for (int row = 0; row < 4; ++row) four[row] = four_words(row, offset + 16u * i);
            transpose(four);
            for (int w = 0; w < 4; ++w) to[4 * i + w] = four[w];
        }
        for (int i = n / 4 * 4; i < n; ++i) to[i] = word(offset + 4u * i);
    }
    // The 16 bits at `offset` of each row, side by side.
    NEOX_INLINE void halves(std::size_t offset, std::byte* to) const {
        for (int row = 0; row < 16; ++row) std::memcpy(to + 2 * row, at(row, offset), 2);
    }
};

}  // namespace neox::avx512
NEOX_TARGET_END

#else
#define NEOX_HAS_WIDE_WORDS 0
#endif
