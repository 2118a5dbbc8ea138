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

// nullptr for types that are not quantized.
const BlockLayout* find_block_layout(DType dtype);

// 16 rows of a type that has a BlockLayout, n_cols columns of them, into panel `side` of a tile of `width` panels.
void lay_out_blocks(DType dtype, std::int64_t n_cols, const std::byte* rows, std::size_t row_stride,
                    std::byte* tile, int width, int side);

// Column `column` of the tile in row `lane` of panel `side`: dequantize_row's value, bit for bit.
float read_resident_value(const BlockLayout& layout, const std::byte* tile, int width, int side, int lane,
                          std::int64_t column);

}  // namespace neox
