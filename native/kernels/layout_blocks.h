// Quantized blocks between GGUF's layout and the resident one (kernels/layout.h). Both sides come down to the same: per
// 32 columns of a row a scale, maybe a minimum, and a code for each column.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace neox {

// How the resident layout holds a quantized type. A head and the n_blocks blocks of 32 columns behind it make a group.
struct BlockLayout {
    enum class Scales : std::uint8_t {
        f16,           // head: d
        f16_min,       // head: d, m
        int_min,       // head: d, dmin; a block: scale, minimum
        half_int,      // head: d; a block: a scale of each half, signed
        half_int_min,  // head: d, dmin; a block: scale | minimum << 4 of each half
    };
    DType dtype{};
    Scales scales{};
    int bits = 0;    // of a code
    int offset = 0;  // a code is value + offset; IQ4_NL's codes are places in kIq4Values

    constexpr int n_blocks() const { return scales <= Scales::f16_min ? 1 : 8; }
    constexpr int n_heads() const { return scales == Scales::f16 || scales == Scales::half_int ? 1 : 2; }
    // Of 16 rows.
    constexpr int head_bytes() const { return 32 * n_heads(); }
    constexpr int scale_bytes() const { return n_blocks() == 1 ? 0 : 32; }
    constexpr int code_bytes() const { return 64 * bits; }
    constexpr int block_bytes() const { return scale_bytes() + code_bytes(); }
    constexpr std::size_t group_bytes() const {
        return static_cast<std::size_t>(head_bytes() + n_blocks() * block_bytes());
    }
};

inline constexpr BlockLayout kBlockLayouts[] = {
    {DType::Q8_0, BlockLayout::Scales::f16, 8, 128},
    {DType::Q4_0, BlockLayout::Scales::f16, 4, 8},
    {DType::Q4_1, BlockLayout::Scales::f16_min, 4, 0},
    {DType::Q5_0, BlockLayout::Scales::f16, 5, 16},
    {DType::Q5_1, BlockLayout::Scales::f16_min, 5, 0},
    {DType::IQ4_NL, BlockLayout::Scales::f16, 4, 0},
    {DType::Q2_K, BlockLayout::Scales::half_int_min, 2, 0},
    {DType::Q3_K, BlockLayout::Scales::half_int, 3, 4},
    {DType::Q4_K, BlockLayout::Scales::int_min, 4, 0},
    {DType::Q5_K, BlockLayout::Scales::int_min, 5, 0},
    {DType::Q6_K, BlockLayout::Scales::half_int, 6, 32},
};

constexpr BlockLayout layout_of(DType dtype) {
    for (const BlockLayout& layout : kBlockLayouts)
        if (layout.dtype == dtype) return layout;
    return {};
}

// Which bits of a code a plane holds. It takes as many vectors of 64 bytes of a block as it has bits.
struct Plane {
    int bits;  // 8, 4, 2 or 1 of each code
    int from;  // the lowest of them
};
// The planes of a code of `bits` bits, 1 or 2 of them.
struct Planes {
    Plane planes[2];
    int n;
};
constexpr Planes planes_of(int bits) {
    switch (bits) {
        case 2: return {{{2, 0}, {}}, 1};
        case 3: return {{{2, 0}, {1, 2}}, 2};
        case 5: return {{{4, 0}, {1, 4}}, 2};
        case 6: return {{{4, 0}, {2, 4}}, 2};
        default: return {{{bits, 0}, {}}, 1};
    }
}
// The place of a plane's vector among those of the block: in the order in which the products want them, upper bits
// before the lower ones that they belong to.
constexpr int place_vector(int code_bits, const Plane& plane, int vector) {
    if (code_bits == plane.bits) return vector;
    if (code_bits == 6) return plane.from == 0 ? 1 + vector + vector / 2 : 3 * vector;
    return plane.from == 0 ? 1 + vector : 0;
}
// Where group g lies in a plane: its vector of 64 bytes and the bit within the byte. Planes of 8, 4 and 2 bits go round
// the vectors, so that a shift serves a whole vector; the upper 2 bits of 6 follow the nibbles they belong to.
struct Place {
    int vector, shift;
};
constexpr Place place_of(const Plane& plane, int g) {
    switch (plane.bits) {
        case 8: return {g, 0};
        case 4: return {g % 4, g / 4 * 4};
        case 2: return plane.from == 0 ? Place{g % 2, g / 2 * 2} : Place{g % 4 / 2, g / 4 * 4 + g % 2 * 2};
        default: return {0, g};
    }
}

// Where the parts of a block lie in a tile.
struct BlockPlace {
    std::size_t head, scales, codes;
};
constexpr BlockPlace place_block(const BlockLayout& layout, int width, int side, std::int64_t block) {
    const std::int64_t group =
        block / layout.n_blocks() * width * static_cast<std::int64_t>(layout.group_bytes());
    const std::int64_t body =
        group + width * (layout.head_bytes() + block % layout.n_blocks() * layout.block_bytes());
    return {static_cast<std::size_t>(group + side * layout.head_bytes()),
            static_cast<std::size_t>(body + side * layout.scale_bytes()),
            static_cast<std::size_t>(body + width * layout.scale_bytes() + side * 64)};
}

// nullptr for types that are not quantized.
const BlockLayout* find_block_layout(DType dtype);

// Column `column` of the tile in row `lane` of panel `side`: dequantize_row's value, bit for bit.
float read_resident_value(const BlockLayout& layout, const std::byte* tile, int width, int side, int lane,
                          std::int64_t column);

}  // namespace neox
