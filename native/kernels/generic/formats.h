// The quantized types as the kernels read them: how the resident bytes of 16 rows (kernels/layout.h) become codes,
// scales and minima. Included inside a target region; see README.md.
//
// A weight is scale * (code - offset) + min. A format is made of a kind of scales, a kind of codes and the dot product
// that its codes allow. Blocks are 32 columns; kBlocks of them share a head.
#pragma once

namespace neox::NEOX_ISA {

// The codes of IQ4_NL stand for bytes: its values plus 128.
struct Table16 {
    std::uint8_t entries[16];
};
constexpr Table16 make_iq4_bytes() {
    Table16 table{};
    for (int i = 0; i < 16; ++i) table.entries[i] = static_cast<std::uint8_t>(kIq4Values[i] + 128);
    return table;
}
inline constexpr Table16 kIq4Bytes = make_iq4_bytes();

// Codes of a block, in vectors of 64 bytes that lie `step` apart. codes(p, step, g) are those of columns 4 g to 4 g + 3.
// Going through the groups as v + kVectors * h, h in the inner loop, reads each byte once.
struct Codes8 {
    static constexpr int kBytes = 512, kVectors = 8;
    static NEOX_INLINE U8x64 codes(const std::byte* p, int step, int g) { return load_u8(p + step * g); }
};
struct Codes4 {
    static constexpr int kBytes = 256, kVectors = 4;
    static NEOX_INLINE U8x64 codes(const std::byte* p, int step, int g) {
        return field(load_u8(p + step * (g % 4)), g / 4 * 4, 15);
    }
};
struct CodesIq4 {
    static constexpr int kBytes = Codes4::kBytes, kVectors = Codes4::kVectors;
    static NEOX_INLINE U8x64 codes(const std::byte* p, int step, int g) {
        return lookup(kIq4Bytes.entries, Codes4::codes(p, step, g));
    }
};
struct Codes5 {
    static constexpr int kBytes = 320, kVectors = 4;
    static NEOX_INLINE U8x64 codes(const std::byte* p, int step, int g) {
        return bit_or(Codes4::codes(p + step, step, g), field(load_u8(p), g - 4, 16));
    }
};
struct Codes6 {
    static constexpr int kBytes = 384, kVectors = 4;
    static NEOX_INLINE U8x64 codes(const std::byte* p, int step, int g) {
        const int half = g % 4 / 2;  // a vector of upper bits, then the two of lower ones that it serves
        const U8x64 high = load_u8(p + step * 3 * half);
        return bit_or(Codes4::codes(p + step * (1 + half), step, g),
                      field(high, g / 4 * 4 + g % 2 * 2 - 4, 48));
    }
};
struct Codes2 {
    static constexpr int kBytes = 128, kVectors = 2;
    static NEOX_INLINE U8x64 codes(const std::byte* p, int step, int g) {
        return field(load_u8(p + step * (g % 2)), g / 2 * 2, 3);
    }
};
struct Codes3 {
    static constexpr int kBytes = 192, kVectors = 2;
    static NEOX_INLINE U8x64 codes(const std::byte* p, int step, int g) {
        return bit_or(Codes2::codes(p + step, step, g), field(load_u8(p), g - 2, 4));
    }
};

// Scales of a block, kSubs of them; `own` are its kBlockBytes of scales. d * integer is exact
// in f32, since d has 11 bits and the integer at most 8.
struct ScaleF16 {
    static constexpr int kBlocks = 1, kHeadBytes = 32, kBlockBytes = 0, kSubs = 1;
    static constexpr bool kHasMin = false;
    static NEOX_INLINE F32x16 scale(const std::byte* head, const std::byte*, int) { return load_f16(head); }
};
struct ScaleMinF16 {
    static constexpr int kBlocks = 1, kHeadBytes = 64, kBlockBytes = 0, kSubs = 1;
    static constexpr bool kHasMin = true;
    static NEOX_INLINE F32x16 scale(const std::byte* head, const std::byte*, int) { return load_f16(head); }
    static NEOX_INLINE F32x16 min(const std::byte* head, const std::byte*, int) {
        return load_f16(head + 32);
    }
};
// One scale and one minimum of 6 bits.
struct ScaleMinInt {
    static constexpr int kBlocks = 8, kHeadBytes = 64, kBlockBytes = 32, kSubs = 1;
    static constexpr bool kHasMin = true;
    static NEOX_INLINE I32x16 scale_integer(const std::byte* own, int) { return load_i8(own); }
    static NEOX_INLINE I32x16 min_integer(const std::byte* own, int) { return load_i8(own + 16); }
    static NEOX_INLINE F32x16 scale(const std::byte* head, const std::byte* own, int) {
        return mul(load_f16(head), to_f32(load_i8(own)));
    }
    static NEOX_INLINE F32x16 min(const std::byte* head, const std::byte* own, int) {
        return mul(load_f16(head + 32), to_f32(sub(broadcast(0), load_i8(own + 16))));
    }
};
// Two scales, signed bytes.
struct HalfScaleInt {
    static constexpr int kBlocks = 8, kHeadBytes = 32, kBlockBytes = 32, kSubs = 2;
    static constexpr bool kHasMin = false;
    static NEOX_INLINE I32x16 scale_integer(const std::byte* own, int sub_block) {
        return load_i8(own + 16 * sub_block);
    }
    static NEOX_INLINE F32x16 scale(const std::byte* head, const std::byte* own, int sub_block) {
        return mul(load_f16(head), to_f32(load_i8(own + 16 * sub_block)));
    }
};
// Two scales and minima of 4 bits each, one byte for both.
struct HalfScaleMinInt {
    static constexpr int kBlocks = 8, kHeadBytes = 64, kBlockBytes = 32, kSubs = 2;
    static constexpr bool kHasMin = true;
    static NEOX_INLINE I32x16 scale_integer(const std::byte* own, int sub_block) {
        return bit_and(load_i8(own + 16 * sub_block), broadcast(15));
    }
    static NEOX_INLINE I32x16 min_integer(const std::byte* own, int sub_block) {
        return bit_and(shift_right<4>(load_i8(own + 16 * sub_block)), broadcast(15));
    }
    static NEOX_INLINE F32x16 scale(const std::byte* head, const std::byte* own, int sub_block) {
        return mul(load_f16(head), to_f32(bit_and(load_i8(own + 16 * sub_block), broadcast(15))));
    }
    static NEOX_INLINE F32x16 min(const std::byte* head, const std::byte* own, int sub_block) {
        const I32x16 min = bit_and(shift_right<4>(load_i8(own + 16 * sub_block)), broadcast(15));
        return mul(load_f16(head + 32), to_f32(sub(broadcast(0), min)));
    }
};

// Where the parts of a panel's block lie.
struct BlockParts {
    const std::byte *head, *scales, *codes;
    int step;  // bytes from one vector of codes to the next
};

template <class ScalesOf, class CodesOf, int kBitsOf, int kOffsetOf> struct Format {
    using Scales = ScalesOf;
    using Codes = CodesOf;
    using Dot = NEOX_ISA::Dot<kBitsOf, kOffsetOf>;
    static constexpr int kBits = kBitsOf, kOffset = kOffsetOf;  // of a code as codes() gives it
    static constexpr int kBlocks = Scales::kBlocks, kSubs = Scales::kSubs;
    static constexpr bool kHasMin = Scales::kHasMin;
    static constexpr int kBlockBytes = Scales::kBlockBytes + Codes::kBytes;
    static constexpr int kHeadBytes = Scales::kHeadBytes;
    static constexpr int kBytes = kHeadBytes + kBlocks * kBlockBytes;  // of a head and its blocks
    static NEOX_INLINE U8x64 codes(const BlockParts& parts, int g) {
        return Codes::codes(parts.codes, parts.step, g);
    }
    // A block of panel `side` in a tile of `width` panels.
    static NEOX_INLINE BlockParts at(const std::byte* tile, int width, int side, std::int64_t block) {
        const std::byte* head = tile + block / kBlocks * width * kBytes;
        const std::byte* own = head + width * (kHeadBytes + block % kBlocks * kBlockBytes);
        return {head + side * kHeadBytes, own + side * Scales::kBlockBytes,
                own + width * Scales::kBlockBytes + side * 64, width * 64};
    }
};

using FormatQ8_0 = Format<ScaleF16, Codes8, 8, 128>;
using FormatQ4_0 = Format<ScaleF16, Codes4, 4, 8>;
using FormatQ4_1 = Format<ScaleMinF16, Codes4, 4, 0>;
using FormatQ5_0 = Format<ScaleF16, Codes5, 5, 16>;
using FormatQ5_1 = Format<ScaleMinF16, Codes5, 5, 0>;
using FormatQ2_K = Format<HalfScaleMinInt, Codes2, 2, 0>;
using FormatQ3_K = Format<HalfScaleInt, Codes3, 3, 4>;
using FormatQ4_K = Format<ScaleMinInt, Codes4, 4, 0>;
using FormatQ5_K = Format<ScaleMinInt, Codes5, 5, 0>;
using FormatQ6_K = Format<HalfScaleInt, Codes6, 6, 32>;
using FormatIQ4_NL = Format<ScaleF16, CodesIq4, 8, 128>;

// A tile of the resident layout (kernels/layout.h) and which of its panels are wanted.
struct Tile {
    const std::byte* data;
    int width;            // panels that alternate in it
    int side;             // the first one wanted
    int n_panels;         // how many are wanted
    std::int64_t panel;   // the first one's number in the matrix
    std::int64_t column;  // the first of n_cols
    std::int64_t n_cols;
    std::size_t panel_bytes;  // of each panel's part
};

// The tile that holds the columns from `column`, a multiple of kTileCols, on of a panel, with all panels from this one on.
NEOX_INLINE Tile tile_of(const MatmulArgs& args, std::int64_t panel, std::int64_t column) {
    const std::int64_t n_cols = args.x->n_cols, n = n_cols - column < kTileCols ? n_cols - column : kTileCols;
    const TilePlace place = place_tile(args.n_panels, n_cols, args.panel_bytes, panel, column);
    return {args.weights + place.offset,
            place.width,
            place.side,
            place.width - place.side,
            panel,
            column,
            n,
            place.bytes};
}

// The tiles of the panels that `args` names, in the order of memory: begin(column, n_cols) before those of the same
// columns of a slab, then visit(tile) for each.
template <class Begin, class Visit>
NEOX_INLINE void for_each_tile(const MatmulArgs& args, Begin&& begin, Visit&& visit) {
    const std::int64_t n_cols = args.x->n_cols;
    for (std::int64_t slab = args.panel_begin, next; slab < args.panel_end; slab = next) {
        next = (slab / kSlabPanels + 1) * kSlabPanels;
        if (next > args.panel_end) next = args.panel_end;
        for (std::int64_t column = 0; column < n_cols; column += kTileCols) {
            Tile tile = tile_of(args, slab, column);
            begin(column, tile.n_cols);
            while (true) {
                if (next - tile.panel < tile.n_panels) tile.n_panels = static_cast<int>(next - tile.panel);
                visit(tile);
                tile.panel += tile.n_panels;
                if (tile.panel == next) break;
                tile.data += static_cast<std::size_t>(tile.width) * tile.panel_bytes;
                tile.side = 0;
                tile.width = tile.n_panels = args.n_panels - tile.panel < kPairPanels ? 1 : kPairPanels;
            }
        }
    }
}

// visit(Format{}) for a quantized type, else nullptr.
template <class Visit> auto for_format(DType weights, Visit visit) -> decltype(visit(FormatQ8_0{})) {
    switch (weights) {
        case DType::Q8_0: return visit(FormatQ8_0{});
        case DType::Q4_0: return visit(FormatQ4_0{});
        case DType::Q4_1: return visit(FormatQ4_1{});
        case DType::Q5_0: return visit(FormatQ5_0{});
        case DType::Q5_1: return visit(FormatQ5_1{});
        case DType::Q2_K: return visit(FormatQ2_K{});
        case DType::Q3_K: return visit(FormatQ3_K{});
        case DType::Q4_K: return visit(FormatQ4_K{});
        case DType::Q5_K: return visit(FormatQ5_K{});
        case DType::Q6_K: return visit(FormatQ6_K{});
        case DType::IQ4_NL: return visit(FormatIQ4_NL{});
        default: return nullptr;
    }
}

}  // namespace neox::NEOX_ISA
