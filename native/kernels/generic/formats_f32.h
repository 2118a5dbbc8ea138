// Weights of every type as f32 values, column by column: what the products in f32 and in bf16 read them through. Included
// inside a target region; see README.md.
#pragma once

namespace neox::NEOX_ISA {

// Readers yield the weights of one panel: load(k) gives column k of 16 rows.
template <class LoadOne, int kBytes> struct ReadPlain {
    static constexpr bool kIsQuantized = false;
    static constexpr int kColumnBytes = 16 * kBytes;
    static constexpr bool kIsPrefetched = LoadOne::kIsPrefetched;
    const std::byte* panel;
    NEOX_INLINE F32x16 load(std::int64_t k) const { return LoadOne::from(panel + kColumnBytes * k); }
    NEOX_INLINE void prefetch_ahead(std::int64_t k) const {
        if constexpr (kIsPrefetched)
            for (int i = 0; i < 32 * kColumnBytes; i += 64)
                prefetch(panel + kColumnBytes * k + kPrefetchBytes + i);
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
    const std::byte* panel;
    NEOX_INLINE void load(std::int64_t k, int g, F32x16* w) const {
        using Scales = typename Format::Scales;
        const std::int64_t b = k / 32;
        const std::byte* head = panel + b / Format::kBlocks * Format::kBytes;
        const std::byte* own = head + Format::kHeadBytes + b % Format::kBlocks * Format::kBlockBytes;
        const int s = g / (8 / Format::kSubs);
        const F32x16 scale = Scales::scale(head, own, s);
        const I32x16 byte = broadcast(255), offset = broadcast(Format::kOffset);
        const I32x16 codes = as_i32(Format::codes(own, g));
        const I32x16 columns[4] = {codes, shift_right<8>(codes), shift_right<16>(codes),
                                   shift_right<24>(codes)};
        NEOX_UNROLL
        for (int j = 0; j < 4; ++j) {
            w[j] = mul(scale, to_f32(sub(bit_and(columns[j], byte), offset)));
            if constexpr (Format::kHasMin) w[j] = add(w[j], Scales::min(head, own, s));
        }
    }
};

}  // namespace neox::NEOX_ISA
