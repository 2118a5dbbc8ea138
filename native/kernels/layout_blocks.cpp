#include "kernels/layout_blocks.h"

#include <cstddef>
#include <cstring>

#include "base/half.h"
#include "kernels/kernels.h"
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

// One row's share of a group of blocks. The codes of columns 4 g to 4 g + 3 are the bytes of codes[g].
struct RowGroup {
    std::uint16_t heads[2] = {};
    std::uint8_t scales[16] = {};  // as they stand in the resident blocks, two a block
    std::uint32_t codes[64];
};

// Blocks are read in place, from bytes: they need not be aligned, and a copy would be read while it is still being
// written, which costs more than the rest.
template <class T> T load(const std::byte* p) {
    T value;
    std::memcpy(&value, p, sizeof(T));
    return value;
}
// Field `mask` of each of four bytes. Bits that come in from a neighbour must be outside the mask.
std::uint32_t four(const std::byte* p, int shift, std::uint32_t mask) {
    return load<std::uint32_t>(p) >> shift & mask * 0x01010101u;
}
// Bits i to i + 3 as one byte each.
std::uint32_t spread(std::uint32_t bits, int i) { return (bits >> i & 15) * 0x00204081u & 0x01010101u; }

// Blocks of 32: the low nibbles are the first half of the columns.
void read_nibbles(const std::byte* qs, RowGroup& row) {
    for (int g = 0; g < 4; ++g) {
        row.codes[g] = four(qs + 4 * g, 0, 15);
        row.codes[g + 4] = four(qs + 4 * g, 4, 15);
    }
}
void read_fifth_bits(const std::byte* qh, RowGroup& row) {
    const auto bits = load<std::uint32_t>(qh);
    for (int g = 0; g < 8; ++g) row.codes[g] |= spread(bits, 4 * g) << 4;
}
// 256 columns: pairs of bits, of block b in bits 2 (b % 4) on of the 32 bytes that 4 blocks share.
void read_pairs(const std::byte* qs, RowGroup& row) {
    for (int b = 0; b < 8; ++b)
        for (int g = 0; g < 8; ++g) row.codes[8 * b + g] = four(qs + 32 * (b / 4) + 4 * g, 2 * (b % 4), 3);
}
// 256 columns: a bit each, of block b in bit b of 32 bytes.
void read_bits(const std::byte* bits, int to, RowGroup& row) {
    for (int b = 0; b < 8; ++b)
        for (int g = 0; g < 8; ++g) row.codes[8 * b + g] |= four(bits + 4 * g, b, 1) << to;
}
void read_k_nibbles(const std::byte* packed, const std::byte* qs, RowGroup& row) {
    std::uint8_t scales[8], mins[8], bytes[12];
    std::memcpy(bytes, packed, sizeof(bytes));
    unpack_q4_scales(bytes, scales, mins);
    for (int b = 0; b < 8; ++b) {
        row.scales[2 * b] = scales[b];
        row.scales[2 * b + 1] = mins[b];
        for (int g = 0; g < 8; ++g) row.codes[8 * b + g] = four(qs + 32 * (b / 2) + 4 * g, 4 * (b % 2), 15);
    }
}

// The block at `p`.
template <DType kType> void read(const std::byte* p, RowGroup& row);
template <> void read<DType::Q8_0>(const std::byte* p, RowGroup& row) {
    row.heads[0] = load<std::uint16_t>(p);
    for (int g = 0; g < 8; ++g)
        row.codes[g] = load<std::uint32_t>(p + offsetof(BlockQ8_0, qs) + 4 * g) ^ 0x80808080u;
}
template <> void read<DType::Q4_0>(const std::byte* p, RowGroup& row) {
    row.heads[0] = load<std::uint16_t>(p);
    read_nibbles(p + offsetof(BlockQ4_0, qs), row);
}
template <> void read<DType::IQ4_NL>(const std::byte* p, RowGroup& row) {
    row.heads[0] = load<std::uint16_t>(p);
    read_nibbles(p + offsetof(BlockIQ4_NL, qs), row);
}
template <> void read<DType::Q4_1>(const std::byte* p, RowGroup& row) {
    row.heads[0] = load<std::uint16_t>(p);
    row.heads[1] = load<std::uint16_t>(p + offsetof(BlockQ4_1, m));
    read_nibbles(p + offsetof(BlockQ4_1, qs), row);
}
template <> void read<DType::Q5_0>(const std::byte* p, RowGroup& row) {
    row.heads[0] = load<std::uint16_t>(p);
    read_nibbles(p + offsetof(BlockQ5_0, qs), row);
    read_fifth_bits(p + offsetof(BlockQ5_0, qh), row);
}
template <> void read<DType::Q5_1>(const std::byte* p, RowGroup& row) {
    row.heads[0] = load<std::uint16_t>(p);
    row.heads[1] = load<std::uint16_t>(p + offsetof(BlockQ5_1, m));
    read_nibbles(p + offsetof(BlockQ5_1, qs), row);
    read_fifth_bits(p + offsetof(BlockQ5_1, qh), row);
}
template <> void read<DType::Q2_K>(const std::byte* p, RowGroup& row) {
    row.heads[0] = load<std::uint16_t>(p + offsetof(BlockQ2_K, d));
    row.heads[1] = load<std::uint16_t>(p + offsetof(BlockQ2_K, dmin));
    std::memcpy(row.scales, p, sizeof(row.scales));
    read_pairs(p + offsetof(BlockQ2_K, qs), row);
}
template <> void read<DType::Q3_K>(const std::byte* p, RowGroup& row) {
    row.heads[0] = load<std::uint16_t>(p + offsetof(BlockQ3_K, d));
    std::uint8_t bytes[12];
    std::memcpy(bytes, p + offsetof(BlockQ3_K, scales), sizeof(bytes));
    unpack_q3_scales(bytes, row.scales);
    for (std::uint8_t& scale : row.scales) scale = static_cast<std::uint8_t>(scale - 32);
    read_pairs(p + offsetof(BlockQ3_K, qs), row);
    read_bits(p, 2, row);
}
template <> void read<DType::Q4_K>(const std::byte* p, RowGroup& row) {
    row.heads[0] = load<std::uint16_t>(p);
    row.heads[1] = load<std::uint16_t>(p + offsetof(BlockQ4_K, dmin));
    read_k_nibbles(p + offsetof(BlockQ4_K, scales), p + offsetof(BlockQ4_K, qs), row);
}
template <> void read<DType::Q5_K>(const std::byte* p, RowGroup& row) {
    row.heads[0] = load<std::uint16_t>(p);
    row.heads[1] = load<std::uint16_t>(p + offsetof(BlockQ5_K, dmin));
    read_k_nibbles(p + offsetof(BlockQ5_K, scales), p + offsetof(BlockQ5_K, qs), row);
    read_bits(p + offsetof(BlockQ5_K, qh), 4, row);
}
template <> void read<DType::Q6_K>(const std::byte* p, RowGroup& row) {
    row.heads[0] = load<std::uint16_t>(p + offsetof(BlockQ6_K, d));
    std::memcpy(row.scales, p + offsetof(BlockQ6_K, scales), sizeof(row.scales));
    const std::byte *ql = p + offsetof(BlockQ6_K, ql), *qh = p + offsetof(BlockQ6_K, qh);
    for (int b = 0; b < 8; ++b) {
        const int half = b / 4, part = b % 4;
        for (int g = 0; g < 8; ++g)
            row.codes[8 * b + g] = four(ql + 64 * half + 32 * (part % 2) + 4 * g, 4 * (part / 2), 15) |
                                   four(qh + 32 * half + 4 * g, 2 * part, 3) << 4;
    }
}

// Where the planes of a block's codes lie: which bits of a code, and in which byte from which bit on.
struct Plane {
    int bits;   // 8, 4, 2 or 1 of each code
    int from;   // the lowest of them
    int begin;  // bytes before this plane
};
// The planes of a code of `bits` bits, 1 or 2 of them.
struct Planes {
    Plane planes[2];
    int n;
};
constexpr Planes planes_of(int bits) {
    switch (bits) {
        case 2: return {{{2, 0, 0}, {}}, 1};
        case 3: return {{{2, 0, 0}, {1, 2, 128}}, 2};
        case 5: return {{{4, 0, 0}, {1, 4, 256}}, 2};
        case 6: return {{{4, 0, 0}, {2, 4, 256}}, 2};
        default: return {{{bits, 0, 0}, {}}, 1};
    }
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

// The codes of one row's block. Templates, so that every place and shift is a constant.
template <Plane kPlane> void store_plane(const std::uint32_t* codes, int lane, std::byte* to) {
    constexpr std::uint32_t kMask = ((1u << kPlane.bits) - 1) * 0x01010101u;
    std::uint32_t vectors[kPlane.bits] = {};
    for (int g = 0; g < 8; ++g) {
        const Place place = place_of(kPlane, g);
        vectors[place.vector] |= (codes[g] >> kPlane.from & kMask) << place.shift;
    }
    for (int v = 0; v < kPlane.bits; ++v) std::memcpy(to + kPlane.begin + 64 * v + 4 * lane, &vectors[v], 4);
}
template <int kBits> void store_codes(const std::uint32_t* codes, int lane, std::byte* to) {
    constexpr Planes kPlanes = planes_of(kBits);
    store_plane<kPlanes.planes[0]>(codes, lane, to);
    if constexpr (kPlanes.n == 2) store_plane<kPlanes.planes[1]>(codes, lane, to);
}

int read_code(const BlockLayout& layout, const std::byte* codes, int lane, int column) {
    const Planes planes = planes_of(layout.bits);
    int code = 0;
    for (int i = 0; i < planes.n; ++i) {
        const Plane& plane = planes.planes[i];
        const Place place = place_of(plane, column / 4);
        const int byte = std::to_integer<int>(codes[plane.begin + 64 * place.vector + 4 * lane + column % 4]);
        code |= (byte >> place.shift & ((1 << plane.bits) - 1)) << plane.from;
    }
    return code;
}

// Group by group, so that all rows write to the same lines.
template <DType kType>
void lay_out(std::int64_t n_cols, const std::byte* rows, std::size_t row_stride, int n_rows,
             std::byte* panel) {
    constexpr BlockLayout kLayout = layout_of(kType);
    constexpr int kCodes = kLayout.scale_bytes();
    RowGroup group;
    const std::int64_t n_groups = n_cols / (32 * kLayout.n_blocks());
    const int in_file = dtype_info(kType).block_bytes;
    for (std::int64_t i = 0; i < n_groups; ++i, rows += in_file, panel += kLayout.group_bytes()) {
        for (int lane = 0; lane < n_rows; ++lane) {
            read<kType>(rows + static_cast<std::size_t>(lane) * row_stride, group);
            for (int h = 0; h < kLayout.n_heads(); ++h)
                std::memcpy(panel + 32 * h + 2 * lane, &group.heads[h], 2);
            for (int b = 0; b < kLayout.n_blocks(); ++b) {
                std::byte* block = panel + kLayout.head_bytes() + b * kLayout.block_bytes();
                if constexpr (kCodes != 0) {
                    block[lane] = static_cast<std::byte>(group.scales[2 * b]);
                    block[16 + lane] = static_cast<std::byte>(group.scales[2 * b + 1]);
                }
                store_codes<kLayout.bits>(group.codes + 8 * b, lane, block + kCodes);
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
                    int n_rows, std::byte* panel) {
    switch (dtype) {
        case DType::Q8_0: return lay_out<DType::Q8_0>(n_cols, rows, row_stride, n_rows, panel);
        case DType::Q4_0: return lay_out<DType::Q4_0>(n_cols, rows, row_stride, n_rows, panel);
        case DType::Q4_1: return lay_out<DType::Q4_1>(n_cols, rows, row_stride, n_rows, panel);
        case DType::Q5_0: return lay_out<DType::Q5_0>(n_cols, rows, row_stride, n_rows, panel);
        case DType::Q5_1: return lay_out<DType::Q5_1>(n_cols, rows, row_stride, n_rows, panel);
        case DType::IQ4_NL: return lay_out<DType::IQ4_NL>(n_cols, rows, row_stride, n_rows, panel);
        case DType::Q2_K: return lay_out<DType::Q2_K>(n_cols, rows, row_stride, n_rows, panel);
        case DType::Q3_K: return lay_out<DType::Q3_K>(n_cols, rows, row_stride, n_rows, panel);
        case DType::Q4_K: return lay_out<DType::Q4_K>(n_cols, rows, row_stride, n_rows, panel);
        case DType::Q5_K: return lay_out<DType::Q5_K>(n_cols, rows, row_stride, n_rows, panel);
        case DType::Q6_K: return lay_out<DType::Q6_K>(n_cols, rows, row_stride, n_rows, panel);
        default: return;  // no other type has a layout
    }
}

float read_resident_value(const BlockLayout& layout, const std::byte* panel, int lane, std::int64_t column) {
    const std::int64_t group_columns = 32 * layout.n_blocks();
    const std::byte* head = panel + static_cast<std::size_t>(column / group_columns) * layout.group_bytes();
    const int within = static_cast<int>(column % group_columns);
    const std::byte* block = head + layout.head_bytes() + within / 32 * layout.block_bytes();
    const int code = read_code(layout, block + layout.scale_bytes(), lane, within % 32);
    const float d = f16_to_f32(load<std::uint16_t>(head + 2 * lane));
    const float q =
        static_cast<float>(layout.dtype == DType::IQ4_NL ? kIq4Values[code] : code - layout.offset);
    if (layout.scales == Scales::f16) return d * q;
    const auto minimum = [&] { return f16_to_f32(load<std::uint16_t>(head + 32 + 2 * lane)); };
    if (layout.scales == Scales::f16_min) return d * q + minimum();
    const auto own = [&](int i) { return std::to_integer<int>(block[16 * i + lane]); };
    const int half = within % 32 / 16;
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
