// A 32-bit word of each of four rows, so that the resident layout is made four rows at a time: in a vector register
// where the compiler has vectors of its own, the same operations one by one elsewhere. avx512/words.h has all 16.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace neox {

inline constexpr int kGroupRows = 4;

#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 12)  // older ones lack __builtin_shufflevector

using Words = std::uint32_t __attribute__((vector_size(16)));

inline Words low_halves(Words a, Words b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }
inline Words high_halves(Words a, Words b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }

// The bytes of four rows, byte[row][i], as byte[i][row].
inline Words transpose_bytes(Words words) {
    using Bytes = std::uint8_t __attribute__((vector_size(16)));
    for (int step = 0; step < 2; ++step) {
        // Two operands, the one instruction that every x86-64 has for it.
        const Words rest = __builtin_shufflevector(words, words, 2, 3, 2, 3);
        words = reinterpret_cast<Words>(__builtin_shufflevector(reinterpret_cast<Bytes>(words),
                                                                reinterpret_cast<Bytes>(rest), 0, 16, 1, 17,
                                                                2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    }
    return words;
}

#else

struct Words {
    std::uint32_t word[4];
    std::uint32_t operator[](int i) const { return word[i]; }
    std::uint32_t& operator[](int i) { return word[i]; }
};

template <class F> Words each_word(F&& f) { return {{f(0), f(1), f(2), f(3)}}; }
inline Words operator&(Words a, std::uint32_t b) {
    return each_word([&](int i) { return a[i] & b; });
}
inline Words operator|(Words a, std::uint32_t b) {
    return each_word([&](int i) { return a[i] | b; });
}
inline Words operator^(Words a, std::uint32_t b) {
    return each_word([&](int i) { return a[i] ^ b; });
}
inline Words operator-(Words a, std::uint32_t b) {
    return each_word([&](int i) { return a[i] - b; });
}
inline Words operator|(Words a, Words b) {
    return each_word([&](int i) { return a[i] | b[i]; });
}
inline Words operator<<(Words a, int n) {
    return each_word([&](int i) { return a[i] << n; });
}
inline Words operator>>(Words a, int n) {
    return each_word([&](int i) { return a[i] >> n; });
}
inline Words& operator|=(Words& a, Words b) { return a = a | b; }
inline Words low_halves(Words a, Words b) { return {{a[0], b[0], a[1], b[1]}}; }
inline Words high_halves(Words a, Words b) { return {{a[2], b[2], a[3], b[3]}}; }
inline Words transpose_bytes(Words words) {
    return each_word([&](int i) {
        std::uint32_t word = 0;
        for (int row = 0; row < 4; ++row) word |= (words[row] >> (8 * i) & 255) << (8 * row);
        return word;
    });
}

#endif

// Turns four words of each of four rows, words[row][i], into words[i][row], and back.
inline void transpose(Words (&words)[4]) {
    const Words a = low_halves(words[0], words[2]), b = low_halves(words[1], words[3]),
                c = high_halves(words[0], words[2]), d = high_halves(words[1], words[3]);
    words[0] = low_halves(a, b);
    words[1] = high_halves(a, b);
    words[2] = low_halves(c, d);
    words[3] = high_halves(c, d);
}

// Four rows in memory, `stride` bytes apart.
struct RowGroup {
    const std::byte* first;
    std::size_t stride;

    const std::byte* at(int row, std::size_t offset) const {
        return first + static_cast<std::size_t>(row) * stride + offset;
    }
    // The word at `offset` of each row.
    Words word(std::size_t offset) const {
        std::uint32_t words[4];
        for (int row = 0; row < 4; ++row) std::memcpy(&words[row], at(row, offset), 4);
        return Words{words[0], words[1], words[2], words[3]};
    }
    // The n words from `offset` on.
    template <int n> void words(std::size_t offset, Words* to) const {
        for (int i = 0; i < n / 4; ++i) {
            Words four[4];
            for (int row = 0; row < 4; ++row) std::memcpy(&four[row], at(row, offset + 16u * i), 16);
            transpose(four);
            for (int w = 0; w < 4; ++w) to[4 * i + w] = four[w];
        }
        for (int i = n / 4 * 4; i < n; ++i) to[i] = word(offset + 4u * i);
    }
    // The 16 bits at `offset` of each row, side by side.
    void halves(std::size_t offset, std::byte* to) const {
        for (int row = 0; row < kGroupRows; ++row) std::memcpy(to + 2 * row, at(row, offset), 2);
    }
};

}  // namespace neox
