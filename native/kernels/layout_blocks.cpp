#include "kernels/layout_blocks.h"

#include <cstddef>
#include <cstring>

#include "base/half.h"
#include "kernels/kernels.h"
#include "kernels/words.h"
#include "quant/blocks.h"
#include "quant/k_scales.h"

namespace neox {
namespace {

using Scales = BlockLayout::Scales;

constexpr BlockLayout kLayouts[] = {
    {DType::Q8_0, Scales::f16, 8, 128},        {DType::Q4_0, Scales::f16, 4, 8},
    {DType::Q4_1, Scales::f16_min, 4, 0},      {DType::Q5_0, Scales::f16, 5, 16},
    {DType::Q5_1, Scales::f16_min, 5, 0},      {DType::IQ4_NL, Scales::f16, 4, 0},
    {DType::Q2_K, Scales::half_int_min, 2, 0}, {DType::Q3_K, Scales::half_int, 3, 4},
    {DType::Q4_K, Scales::int_min, 4, 0},      {DType::Q5_K, Scales::int_min, 5, 0},
    {DType::Q6_K, Scales::half_int, 6, 32},
};

constexpr BlockLayout layout_of(DType dtype) {
    for (const BlockLayout& layout : kLayouts)
        if (layout.dtype == dtype) return layout;
    return {};
}

template <class T> T load(const std::byte* p) {
    T value;
    std::memcpy(&value, p, sizeof(T));
    return value;
}

// A super-block's scales as they stand in the resident blocks, two a block, as bytes of four rows: [16][4 rows].
using ScaleBytes = Words[4];

// A block of four rows. It is read in place: blocks need not be aligned, and a copy would be read while it is still
// being written, which costs more than the rest.
template <DType kType> struct Block;

// Blocks of 32: the low nibbles are the first half of the columns.
inline Words nibbles(const Words* qs, int g) { return qs[g % 4] >> (g / 4 * 4) & 0x0f0f0f0fu; }
// Bits 4 g to 4 g + 3 of each word as one byte each.
inline Words spread(Words bits, int g) {
    const Words four = bits >> (4 * g) & 15u;
    return (four | four << 7 | four << 14 | four << 21) & 0x01010101u;
}

// What the types share: where d and the codes lie, and n words of codes.
template <int kAt, int kWords> struct Codes {
    Words qs[kWords];
    explicit Codes(const FourRows& rows) { rows.words<kWords>(kAt, qs); }
};

template <> struct Block<DType::Q8_0> : Codes<offsetof(BlockQ8_0, qs), 8> {
    static constexpr std::size_t kHeads[] = {offsetof(BlockQ8_0, d)};
    using Codes::Codes;
    Words code(int, int g) const { return qs[g] ^ 0x80808080u; }
};
template <> struct Block<DType::Q4_0> : Codes<offsetof(BlockQ4_0, qs), 4> {
    static constexpr std::size_t kHeads[] = {offsetof(BlockQ4_0, d)};
    using Codes::Codes;
    Words code(int, int g) const { return nibbles(qs, g); }
};
template <> struct Block<DType::IQ4_NL> : Block<DType::Q4_0> { using Block<DType::Q4_0>::Block; };
template <> struct Block<DType::Q4_1> : Codes<offsetof(BlockQ4_1, qs), 4> {
    static constexpr std::size_t kHeads[] = {offsetof(BlockQ4_1, d), offsetof(BlockQ4_1, m)};
    using Codes::Codes;
    Words code(int, int g) const { return nibbles(qs, g); }
};
template <> struct Block<DType::Q5_0> : Codes<offsetof(BlockQ5_0, qs), 4> {
    static constexpr std::size_t kHeads[] = {offsetof(BlockQ5_0, d)};
    Words qh;
    explicit Block(const FourRows& rows) : Codes(rows), qh(rows.word(offsetof(BlockQ5_0, qh))) {}
    Words code(int, int g) const { return nibbles(qs, g) | spread(qh, g) << 4; }
};
template <> struct Block<DType::Q5_1> : Codes<offsetof(BlockQ5_1, qs), 4> {
    static constexpr std::size_t kHeads[] = {offsetof(BlockQ5_1, d), offsetof(BlockQ5_1, m)};
    Words qh;
    explicit Block(const FourRows& rows) : Codes(rows), qh(rows.word(offsetof(BlockQ5_1, qh))) {}
    Words code(int, int g) const { return nibbles(qs, g) | spread(qh, g) << 4; }
};

// 256 columns: pairs of bits, of block b in bits 2 (b % 4) on of the 8 words that 4 blocks share.
inline Words pairs(const Words* qs, int b, int g) {
    return qs[8 * (b / 4) + g] >> (2 * (b % 4)) & 0x03030303u;
}
// A bit each, of block b in bit b of 8 words.
inline Words bits(const Words* words, int b, int g) { return words[g] >> b & 0x01010101u; }
// Nibbles, of block b in half b % 2 of the 8 words that 2 blocks share.
inline Words k_nibbles(const Words* qs, int b, int g) {
    return qs[8 * (b / 2) + g] >> (4 * (b % 2)) & 0x0f0f0f0fu;
}
// The 8 scales and minima that Q4_K and Q5_K pack: scale, minimum of each block.
inline void k_scales(const FourRows& rows, std::size_t at, ScaleBytes& bytes) {
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
    Words code(int b, int g) const { return pairs(qs, b, g); }
    static void scales(const FourRows& rows, ScaleBytes& bytes) {
        rows.words<4>(offsetof(BlockQ2_K, scales), bytes);
        for (Words& four : bytes) four = transpose_bytes(four);
    }
};
template <> struct Block<DType::Q3_K> : Codes<offsetof(BlockQ3_K, hmask), 24> {
    static_assert(offsetof(BlockQ3_K, qs) == offsetof(BlockQ3_K, hmask) + 32);
    static constexpr std::size_t kHeads[] = {offsetof(BlockQ3_K, d)};
    using Codes::Codes;
    Words code(int b, int g) const { return pairs(qs + 8, b, g) | bits(qs, b, g) << 2; }
    static void scales(const FourRows& rows, ScaleBytes& bytes) {
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
    Words code(int b, int g) const { return k_nibbles(qs, b, g); }
    static void scales(const FourRows& rows, ScaleBytes& bytes) {
        k_scales(rows, offsetof(BlockQ4_K, scales), bytes);
    }
};
template <> struct Block<DType::Q5_K> : Codes<offsetof(BlockQ5_K, qh), 40> {
    static_assert(offsetof(BlockQ5_K, qs) == offsetof(BlockQ5_K, qh) + 32);
    static constexpr std::size_t kHeads[] = {offsetof(BlockQ5_K, d), offsetof(BlockQ5_K, dmin)};
    using Codes::Codes;
    Words code(int b, int g) const { return k_nibbles(qs + 8, b, g) | bits(qs, b, g) << 4; }
    static void scales(const FourRows& rows, ScaleBytes& bytes) {
        k_scales(rows, offsetof(BlockQ5_K, scales), bytes);
    }
};
template <> struct Block<DType::Q6_K> : Codes<offsetof(BlockQ6_K, ql), 48> {
    static_assert(offsetof(BlockQ6_K, qh) == offsetof(BlockQ6_K, ql) + 128);
    static constexpr std::size_t kHeads[] = {offsetof(BlockQ6_K, d)};
    using Codes::Codes;
    Words code(int b, int g) const {
        const int half = b / 4, part = b % 4;
        return (qs[16 * half + 8 * (part % 2) + g] >> (4 * (part / 2)) & 0x0f0f0f0fu) |
               (qs[32 + 8 * half + g] >> (2 * part) & 0x03030303u) << 4;
    }
    static void scales(const FourRows& rows, ScaleBytes& bytes) {
        rows.words<4>(offsetof(BlockQ6_K, scales), bytes);
        for (Words& four : bytes) four = transpose_bytes(four);
    }
};

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

// The codes of a block of four rows. Templates, so that every place and shift is a constant.
template <int kBits, Plane kPlane> void store_plane(const Words* codes, std::byte* to, int step) {
    constexpr std::uint32_t kMask = ((1u << kPlane.bits) - 1) * 0x01010101u;
    Words vectors[kPlane.bits] = {};
    for (int g = 0; g < 8; ++g) {
        const Place place = place_of(kPlane, g);
        vectors[place.vector] |= (codes[g] >> kPlane.from & kMask) << place.shift;
    }
    for (int v = 0; v < kPlane.bits; ++v)
        std::memcpy(to + step * place_vector(kBits, kPlane, v), &vectors[v], 16);
}
template <int kBits> void store_codes(const Words* codes, std::byte* to, int step) {
    constexpr Planes kPlanes = planes_of(kBits);
    store_plane<kBits, kPlanes.planes[0]>(codes, to, step);
    if constexpr (kPlanes.n == 2) store_plane<kBits, kPlanes.planes[1]>(codes, to, step);
}

int read_code(const BlockLayout& layout, const std::byte* codes, int step, int lane, int column) {
    const Planes planes = planes_of(layout.bits);
    int code = 0;
    for (int i = 0; i < planes.n; ++i) {
        const Plane& plane = planes.planes[i];
        const Place place = place_of(plane, column / 4);
        const int vector = place_vector(layout.bits, plane, place.vector);
        const int byte = std::to_integer<int>(codes[step * vector + 4 * lane + column % 4]);
        code |= (byte >> place.shift & ((1 << plane.bits) - 1)) << plane.from;
    }
    return code;
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

// Group by group, so that all rows write to the same lines.
template <DType kType>
void lay_out(std::int64_t n_cols, const std::byte* rows, std::size_t row_stride, std::byte* tile, int width,
             int side) {
    constexpr BlockLayout kLayout = layout_of(kType);
    const int in_file = dtype_info(kType).block_bytes;
    for (std::int64_t block = 0; block < n_cols / 32; block += kLayout.n_blocks(), rows += in_file) {
        for (int lane = 0; lane < kPanelRows; lane += 4) {
            const FourRows four{rows + static_cast<std::size_t>(lane) * row_stride, row_stride};
            const Block<kType> group(four);
            std::byte* head = tile + place_block(kLayout, width, side, block).head;
            for (int h = 0; h < kLayout.n_heads(); ++h) {
                const std::uint64_t heads = four.halves(group.kHeads[h]);
                std::memcpy(head + 32 * h + 2 * lane, &heads, sizeof(heads));
            }
            [[maybe_unused]] ScaleBytes scales;
            if constexpr (kLayout.scale_bytes() != 0) group.scales(four, scales);
            for (int b = 0; b < kLayout.n_blocks(); ++b) {
                const BlockPlace place = place_block(kLayout, width, side, block + b);
                if constexpr (kLayout.scale_bytes() != 0)
                    for (int half = 0; half < 2; ++half) {
                        const std::uint32_t own = scales[b / 2][b % 2 * 2 + half];
                        std::memcpy(tile + place.scales + 16 * half + lane, &own, sizeof(own));
                    }
                std::byte* codes_of_lane = tile + place.codes + 4 * lane;
                if constexpr (kLayout.bits == 4 && kLayout.n_blocks() == 1) {
                    // Nibbles of columns 16 apart share a byte on both sides.
                    for (int v = 0; v < 4; ++v) std::memcpy(codes_of_lane + 64 * width * v, &group.qs[v], 16);
                } else {
                    Words codes[8];
                    for (int g = 0; g < 8; ++g) codes[g] = group.code(b, g);
                    store_codes<kLayout.bits>(codes, codes_of_lane, 64 * width);
                }
            }
        }
    }
}

}  // namespace

const BlockLayout* find_block_layout(DType dtype) {
    for (const BlockLayout& layout : kLayouts)
        if (layout.dtype == dtype) return &layout;
    return nullptr;
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

float read_resident_value(const BlockLayout& layout, const std::byte* tile, int width, int side, int lane,
                          std::int64_t column) {
    const BlockPlace place = place_block(layout, width, side, column / 32);
    const std::byte* head = tile + place.head;
    const int within = static_cast<int>(column % 32);
    const int code = read_code(layout, tile + place.codes, 64 * width, lane, within);
    const float d = f16_to_f32(load<std::uint16_t>(head + 2 * lane));
    const float q =
        static_cast<float>(layout.dtype == DType::IQ4_NL ? kIq4Values[code] : code - layout.offset);
    if (layout.scales == Scales::f16) return d * q;
    const auto minimum = [&] { return f16_to_f32(load<std::uint16_t>(head + 32 + 2 * lane)); };
    if (layout.scales == Scales::f16_min) return d * q + minimum();
    const auto own = [&](int i) {
        return std::to_integer<int>(tile[place.scales + static_cast<std::size_t>(16 * i + lane)]);
    };
    const int half = within / 16;
    switch (layout.scales) {
        case Scales::int_min:
            return d * static_cast<float>(own(0)) * q - minimum() * static_cast<float>(own(1));
        case Scales::half_int: return d * static_cast<float>(static_cast<std::int8_t>(own(half))) * q;
        default:
            return d * static_cast<float>(own(half) & 15) * q -
                   minimum() * static_cast<float>(own(half) >> 4);
    }
}

}  // namespace neox
