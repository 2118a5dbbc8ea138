// Laying out quantized blocks: 16 rows of the file become panels of the resident layout (kernels/layout.h), as many rows at a
// time as the instruction set's words.h has in a register. Included inside a target region; see README.md.
#pragma once

namespace neox::NEOX_ISA {

// A super-block's scales as they stand in the resident blocks, two a block, as bytes: [16][rows], four rows by four.
using ScaleBytes = Words[4];

// A block of several rows. It is read in place: blocks need not be aligned, and a copy would be read while it is still
// being written, which costs more than the rest.
template <DType kType> struct Block;

// Blocks of 32: the low nibbles are the first half of the columns.
NEOX_INLINE Words nibbles(const Words* qs, int g) { return qs[g % 4] >> (g / 4 * 4) & 0x0f0f0f0fu; }
// Bits 4 g to 4 g + 3 of each word as one byte each.
NEOX_INLINE Words spread(Words bits, int g) {
    const Words four = bits >> (4 * g) & 15u;
    return (four | four << 7 | four << 14 | four << 21) & 0x01010101u;
}

// What the types share: where d and the codes lie, and n words of codes.
template <int kAt, int kWords> struct Codes {
    Words qs[kWords];
    explicit Codes(const RowGroup& rows) { rows.words<kWords>(kAt, qs); }
};

template <> struct Block<DType::Q8_0> : Codes<offsetof(BlockQ8_0, qs), 8> {
    static constexpr std::size_t kHeads[] = {offsetof(BlockQ8_0, d)};
    using Codes::Codes;
    NEOX_INLINE Words code(int, int g) const { return qs[g] ^ 0x80808080u; }
};
template <> struct Block<DType::Q4_0> : Codes<offsetof(BlockQ4_0, qs), 4> {
    static constexpr std::size_t kHeads[] = {offsetof(BlockQ4_0, d)};
    using Codes::Codes;
    NEOX_INLINE Words code(int, int g) const { return nibbles(qs, g); }
};
template <> struct Block<DType::IQ4_NL> : Block<DType::Q4_0> { using Block<DType::Q4_0>::Block; };
template <> struct Block<DType::Q4_1> : Codes<offsetof(BlockQ4_1, qs), 4> {
    static constexpr std::size_t kHeads[] = {offsetof(BlockQ4_1, d), offsetof(BlockQ4_1, m)};
    using Codes::Codes;
    NEOX_INLINE Words code(int, int g) const { return nibbles(qs, g); }
};
template <> struct Block<DType::Q5_0> : Codes<offsetof(BlockQ5_0, qs), 4> {
    static constexpr std::size_t kHeads[] = {offsetof(BlockQ5_0, d)};
    Words qh;
    explicit Block(const RowGroup& rows) : Codes(rows), qh(rows.word(offsetof(BlockQ5_0, qh))) {}
    NEOX_INLINE Words code(int, int g) const { return nibbles(qs, g) | spread(qh, g) << 4; }
};
template <> struct Block<DType::Q5_1> : Codes<offsetof(BlockQ5_1, qs), 4> {
    static constexpr std::size_t kHeads[] = {offsetof(BlockQ5_1, d), offsetof(BlockQ5_1, m)};
    Words qh;
    explicit Block(const RowGroup& rows) : Codes(rows), qh(rows.word(offsetof(BlockQ5_1, qh))) {}
    NEOX_INLINE Words code(int, int g) const { return nibbles(qs, g) | spread(qh, g) << 4; }
};

// 256 columns: pairs of bits, of block b in bits 2 (b % 4) on of the 8 words that 4 blocks share.
NEOX_INLINE Words pairs(const Words* qs, int b, int g) {
    return qs[8 * (b / 4) + g] >> (2 * (b % 4)) & 0x03030303u;
}
// A bit each, of block b in bit b of 8 words.
NEOX_INLINE Words bits(const Words* words, int b, int g) { return words[g] >> b & 0x01010101u; }
// Nibbles, of block b in half b % 2 of the 8 words that 2 blocks share.
NEOX_INLINE Words k_nibbles(const Words* qs, int b, int g) {
    return qs[8 * (b / 2) + g] >> (4 * (b % 2)) & 0x0f0f0f0fu;
}
// The 8 scales and minima that Q4_K and Q5_K pack: scale, minimum of each block.
NEOX_INLINE void k_scales(const RowGroup& rows, std::size_t at, ScaleBytes& bytes) {
    Words packed[3], scales[2], mins[2];
    rows.words<3>(at, packed);
    unpack_q4_scale_words(packed, scales, mins);
    for (int i = 0; i < 2; ++i) {
        const Words s = transpose_bytes(scales[i]), m = transpose_bytes(mins[i]);
        bytes[2 * i] = low_halves(s, m);
        bytes[2 * i + 1] = high_halves(s, m);
    }
}

template <> struct Block<DType::Q2_K> : Codes<offsetof(BlockQ2_K, qs), 16> {
    static constexpr std::size_t kHeads[] = {offsetof(BlockQ2_K, d), offsetof(BlockQ2_K, dmin)};
    using Codes::Codes;
    NEOX_INLINE Words code(int b, int g) const { return pairs(qs, b, g); }
    static void scales(const RowGroup& rows, ScaleBytes& bytes) {
        rows.words<4>(offsetof(BlockQ2_K, scales), bytes);
        for (Words& four : bytes) four = transpose_bytes(four);
    }
};
template <> struct Block<DType::Q3_K> : Codes<offsetof(BlockQ3_K, hmask), 24> {
    static_assert(offsetof(BlockQ3_K, qs) == offsetof(BlockQ3_K, hmask) + 32);
    static constexpr std::size_t kHeads[] = {offsetof(BlockQ3_K, d)};
    using Codes::Codes;
    NEOX_INLINE Words code(int b, int g) const { return pairs(qs + 8, b, g) | bits(qs, b, g) << 2; }
    static void scales(const RowGroup& rows, ScaleBytes& bytes) {
        Words packed[3];
        rows.words<3>(offsetof(BlockQ3_K, scales), packed);
        unpack_q3_scale_words(packed, bytes);
        // Less 32, byte by byte: bit 7 keeps each from borrowing of the next.
        for (Words& four : bytes) four = transpose_bytes(((four | 0x80808080u) - 0x20202020u) ^ 0x80808080u);
    }
};
template <> struct Block<DType::Q4_K> : Codes<offsetof(BlockQ4_K, qs), 32> {
    static constexpr std::size_t kHeads[] = {offsetof(BlockQ4_K, d), offsetof(BlockQ4_K, dmin)};
    using Codes::Codes;
    NEOX_INLINE Words code(int b, int g) const { return k_nibbles(qs, b, g); }
    static void scales(const RowGroup& rows, ScaleBytes& bytes) {
        k_scales(rows, offsetof(BlockQ4_K, scales), bytes);
    }
};
template <> struct Block<DType::Q5_K> : Codes<offsetof(BlockQ5_K, qh), 40> {
    static_assert(offsetof(BlockQ5_K, qs) == offsetof(BlockQ5_K, qh) + 32);
    static constexpr std::size_t kHeads[] = {offsetof(BlockQ5_K, d), offsetof(BlockQ5_K, dmin)};
    using Codes::Codes;
    NEOX_INLINE Words code(int b, int g) const { return k_nibbles(qs + 8, b, g) | bits(qs, b, g) << 4; }
    static void scales(const RowGroup& rows, ScaleBytes& bytes) {
        k_scales(rows, offsetof(BlockQ5_K, scales), bytes);
    }
};
template <> struct Block<DType::Q6_K> : Codes<offsetof(BlockQ6_K, ql), 48> {
    static_assert(offsetof(BlockQ6_K, qh) == offsetof(BlockQ6_K, ql) + 128);
    static constexpr std::size_t kHeads[] = {offsetof(BlockQ6_K, d)};
    using Codes::Codes;
    NEOX_INLINE Words code(int b, int g) const {
        const int half = b / 4, part = b % 4;
        return (qs[16 * half + 8 * (part % 2) + g] >> (4 * (part / 2)) & 0x0f0f0f0fu) |
               (qs[32 + 8 * half + g] >> (2 * part) & 0x03030303u) << 4;
    }
    static void scales(const RowGroup& rows, ScaleBytes& bytes) {
        rows.words<4>(offsetof(BlockQ6_K, scales), bytes);
        for (Words& four : bytes) four = transpose_bytes(four);
    }
};

// The codes of a block of several rows. Templates, so that every place and shift is a constant.
template <int kBits, Plane kPlane> NEOX_INLINE void store_plane(const Words* codes, std::byte* to, int step) {
    constexpr std::uint32_t kMask = ((1u << kPlane.bits) - 1) * 0x01010101u;
    Words vectors[kPlane.bits] = {};
    for (int g = 0; g < 8; ++g) {
        const Place place = place_of(kPlane, g);
        vectors[place.vector] |= (codes[g] >> kPlane.from & kMask) << place.shift;
    }
    for (int v = 0; v < kPlane.bits; ++v)
        std::memcpy(to + step * place_vector(kBits, kPlane, v), &vectors[v], sizeof(Words));
}
template <int kBits> NEOX_INLINE void store_codes(const Words* codes, std::byte* to, int step) {
    constexpr Planes kPlanes = planes_of(kBits);
    store_plane<kBits, kPlanes.planes[0]>(codes, to, step);
    if constexpr (kPlanes.n == 2) store_plane<kBits, kPlanes.planes[1]>(codes, to, step);
}

// Group by group, so that all rows write to the same lines.
template <DType kType>
void lay_out(std::int64_t n_cols, const std::byte* rows, std::size_t row_stride, std::byte* tile, int width,
             int side) {
    constexpr BlockLayout kLayout = layout_of(kType);
    const int in_file = dtype_info(kType).block_bytes;
    for (std::int64_t block = 0; block < n_cols / 32; block += kLayout.n_blocks(), rows += in_file) {
        for (int lane = 0; lane < kPanelRows; lane += kGroupRows) {
            const RowGroup group_rows{rows + static_cast<std::size_t>(lane) * row_stride, row_stride};
            const Block<kType> group(group_rows);
            std::byte* head = tile + place_block(kLayout, width, side, block).head;
            for (int h = 0; h < kLayout.n_heads(); ++h) {
                group_rows.halves(group.kHeads[h], head + 32 * h + 2 * lane);
            }
            [[maybe_unused]] ScaleBytes scales;
            if constexpr (kLayout.scale_bytes() != 0) group.scales(group_rows, scales);
            for (int b = 0; b < kLayout.n_blocks(); ++b) {
                const BlockPlace place = place_block(kLayout, width, side, block + b);
                if constexpr (kLayout.scale_bytes() != 0)
                    for (int i = 0; i < 2 * kGroupRows; i += 4) {
                        const int half = i / kGroupRows, four = i % kGroupRows;
                        std::memcpy(tile + place.scales + 16 * half + lane + four,
                                    reinterpret_cast<const std::byte*>(&scales[b / 2]) + 4 * four +
                                        4 * (b % 2 * 2 + half),
                                    4);
                    }
                std::byte* codes_of_lane = tile + place.codes + 4 * lane;
                if constexpr (kLayout.bits == 4 && kLayout.n_blocks() == 1) {
                    // Nibbles of columns 16 apart share a byte on both sides.
                    for (int v = 0; v < 4; ++v)
                        std::memcpy(codes_of_lane + 64 * width * v, &group.qs[v], sizeof(Words));
                } else {
                    Words codes[8];
                    for (int g = 0; g < 8; ++g) codes[g] = group.code(b, g);
                    store_codes<kLayout.bits>(codes, codes_of_lane, 64 * width);
                }
            }
        }
    }
}

void lay_out_blocks(DType dtype, std::int64_t n_cols, const std::byte* rows, std::size_t row_stride,
                    std::byte* tile, int width, int side) {
    switch (dtype) {
        case DType::Q8_0: return lay_out<DType::Q8_0>(n_cols, rows, row_stride, tile, width, side);
        case DType::Q4_0: return lay_out<DType::Q4_0>(n_cols, rows, row_stride, tile, width, side);
        case DType::Q4_1: return lay_out<DType::Q4_1>(n_cols, rows, row_stride, tile, width, side);
        case DType::Q5_0: return lay_out<DType::Q5_0>(n_cols, rows, row_stride, tile, width, side);
        case DType::Q5_1: return lay_out<DType::Q5_1>(n_cols, rows, row_stride, tile, width, side);
        case DType::IQ4_NL: return lay_out<DType::IQ4_NL>(n_cols, rows, row_stride, tile, width, side);
        case DType::Q2_K: return lay_out<DType::Q2_K>(n_cols, rows, row_stride, tile, width, side);
        case DType::Q3_K: return lay_out<DType::Q3_K>(n_cols, rows, row_stride, tile, width, side);
        case DType::Q4_K: return lay_out<DType::Q4_K>(n_cols, rows, row_stride, tile, width, side);
        case DType::Q5_K: return lay_out<DType::Q5_K>(n_cols, rows, row_stride, tile, width, side);
        case DType::Q6_K: return lay_out<DType::Q6_K>(n_cols, rows, row_stride, tile, width, side);
        default: return;  // no other type has a layout
    }
}

}  // namespace neox::NEOX_ISA
