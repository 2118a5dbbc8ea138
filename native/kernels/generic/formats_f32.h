// Weights of every type as f32 values, column by column: what the products in f32 and in bf16 read them through. Included
// inside a target region; see README.md.
#pragma once

namespace neox::NEOX_ISA {

// Readers yield the weights of one panel of a tile: load(k) gives column k of 16 rows.
template <class LoadOne, int kBytes> struct ReadPlain {
    static constexpr bool kIsQuantized = false;
    static constexpr bool kIsPrefetched = LoadOne::kIsPrefetched;
    const std::byte* first;  // this panel's column 0
    std::int64_t step;       // bytes to the next column
    ReadPlain(const Tile& tile, int side)
        : first(tile.data + 16 * kBytes * side), step(16 * kBytes * tile.width) {}
    NEOX_INLINE F32x16 load(std::int64_t k) const { return LoadOne::from(first + step * k); }
    NEOX_INLINE void prefetch_ahead(std::int64_t k) const {
        if constexpr (kIsPrefetched)
            for (int i = 0; i < 32; ++i) prefetch(first + step * (k + i) + kPrefetchBytes);
    }
};
struct LoadF32 {
    // The only type whose stream outruns the processor's own prefetcher; for the others a prefetch costs more
    // than it gains.
    static constexpr bool kIsPrefetched = true;
    static NEOX_INLINE F32x16 from(const std::byte* p) {
        return NEOX_ISA::load(reinterpret_cast<const float*>(p));
    }
};
struct LoadF16 {
    static constexpr bool kIsPrefetched = false;
    static NEOX_INLINE F32x16 from(const std::byte* p) { return load_f16(p); }
};
struct LoadBf16 {
    static constexpr bool kIsPrefetched = false;
    static NEOX_INLINE F32x16 from(const std::byte* p) { return load_bf16(p); }
};
using ReadF32 = ReadPlain<LoadF32, 4>;
using ReadF16 = ReadPlain<LoadF16, 2>;
using ReadBf16 = ReadPlain<LoadBf16, 2>;
// Quantized weights after unpack_f32.
struct ReadUnpacked {
    static constexpr bool kIsQuantized = false;
    const float* weights;
    NEOX_INLINE F32x16 load(std::int64_t k) const { return NEOX_ISA::load(weights + 16 * k); }
    NEOX_INLINE void prefetch_ahead(std::int64_t) const {}
};

// Quantized weights as they are: load(k, g, w) gives the columns of group g of the block that begins at column k.
template <class Format> struct ReadQuantized {
    static constexpr bool kIsQuantized = true;
    const std::byte* tile;
    int width, side;
    ReadQuantized(const Tile& from, int of_side) : tile(from.data), width(from.width), side(of_side) {}
    NEOX_INLINE void load(std::int64_t k, int g, F32x16* w) const {
        using Scales = typename Format::Scales;
        const BlockParts parts = Format::at(tile, width, side, k / 32);
        const int s = g / (8 / Format::kSubs);
        const F32x16 scale = Scales::scale(parts.head, parts.scales, s);
        const I32x16 byte = broadcast(255), offset = broadcast(Format::kOffset);
        const I32x16 codes = as_i32(Format::codes(parts, g));
        const I32x16 columns[4] = {codes, shift_right<8>(codes), shift_right<16>(codes),
                                   shift_right<24>(codes)};
        NEOX_UNROLL
        for (int j = 0; j < 4; ++j) {
            w[j] = mul(scale, to_f32(sub(bit_and(columns[j], byte), offset)));
            if constexpr (Format::kHasMin) w[j] = add(w[j], Scales::min(parts.head, parts.scales, s));
        }
    }
};

}  // namespace neox::NEOX_ISA
