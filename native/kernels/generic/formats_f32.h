// Weights of every type as f32 values, column by column: what the products in f32 and the rounding to 16-bit integers read them through. Included
// inside a target region; see README.md.
#pragma once

namespace neox::NEOX_ISA {

// One column of a plain panel.
struct LoadF32 {
    static constexpr int kColumnBytes = 64;
    static NEOX_INLINE F32x16 from(const std::byte* p) { return load(reinterpret_cast<const float*>(p)); }
};
struct LoadF16 {
    static constexpr int kColumnBytes = 32;
    static NEOX_INLINE F32x16 from(const std::byte* p) { return load_f16(p); }
};
struct LoadBf16 {
    static constexpr int kColumnBytes = 32;
    static NEOX_INLINE F32x16 from(const std::byte* p) { return load_bf16(p); }
};

// The four columns of group g of the block that begins at a tile's column k, of panel `side`.
template <class Format>
NEOX_INLINE void dequantize(const Tile& tile, int side, std::int64_t k, int g, F32x16* w) {
    using Scales = typename Format::Scales;
    const BlockParts parts = Format::at(tile.data, tile.width, side, k / 32);
    const int s = g / (8 / Format::kSubs);
    const F32x16 scale = Scales::scale(parts.head, parts.scales, s);
    const I32x16 byte = broadcast(255), offset = broadcast(Format::kOffset);
    const I32x16 codes = as_i32(Format::codes(parts, g));
    const I32x16 columns[4] = {codes, shift_right<8>(codes), shift_right<16>(codes), shift_right<24>(codes)};
    NEOX_UNROLL
    for (int j = 0; j < 4; ++j) {
        w[j] = mul(scale, to_f32(sub(bit_and(columns[j], byte), offset)));
        if constexpr (Format::kHasMin) w[j] = add(w[j], Scales::min(parts.head, parts.scales, s));
    }
}

}  // namespace neox::NEOX_ISA
