// Matrix products in f32 arithmetic, for every weight type. Included inside a target region; see README.md.
//
// The order for one output element: blocks of 32 columns one after the other; within a block a sequential sum
// of fused multiply-adds from 0, s = fma(w[k], x[k], s); then total = total + s, or total = fma(scale, s,
// total) where the weights are quantized and w holds their integers. A short block at the end of a row is
// added the same way.
#pragma once

namespace neox::NEOX_ISA {

// Columns that all tokens pass over before the next ones: 32 KiB of f32 weights.
inline constexpr std::int64_t kF32Chunk = 512;

// Readers yield the weights of one panel: load(k, w) gives kStep columns of 16 rows from column k, a multiple
// of kStep. A chunk that was unpacked: integers as f32, and the scales.
struct ReadUnpacked {
    static constexpr bool kIsScaled = true;
    static constexpr int kStep = 1;
    const float* weights;
    const float* scales;
    NEOX_INLINE void load(std::int64_t k, F32x16* w) const { w[0] = NEOX_ISA::load(weights + 16 * k); }
    NEOX_INLINE F32x16 scale(std::int64_t block) const { return NEOX_ISA::load(scales + 16 * block); }
    NEOX_INLINE void prefetch_ahead(std::int64_t) const {}
};

template <class LoadOne, int kBytes> struct ReadPlain {
    static constexpr bool kIsScaled = false;
    static constexpr int kStep = 1;
    static constexpr int kColumnBytes = 16 * kBytes;
    static constexpr bool kIsPrefetched = LoadOne::kIsPrefetched;
    const std::byte* panel;
    NEOX_INLINE void load(std::int64_t k, F32x16* w) const { w[0] = LoadOne::from(panel + kColumnBytes * k); }
    NEOX_INLINE void prefetch_ahead(std::int64_t k) const {
        if constexpr (kIsPrefetched)
            for (int i = 0; i < 32 * kColumnBytes; i += 64)
                prefetch(panel + kColumnBytes * k + kPrefetchBytes + i);
    }
    NEOX_INLINE F32x16 scale(std::int64_t) const { return broadcast(1.0f); }
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

// Byte j of each lane, as an integer less the format's offset.
template <int kOffset, int kBits> NEOX_INLINE void split_bytes(I32x16 lanes, F32x16* w) {
    const I32x16 mask = broadcast((1 << kBits) - 1), offset = broadcast(kOffset);
    w[0] = to_f32(sub(bit_and(lanes, mask), offset));
    w[1] = to_f32(sub(bit_and(shift_right<8>(lanes), mask), offset));
    w[2] = to_f32(sub(bit_and(shift_right<16>(lanes), mask), offset));
    w[3] = to_f32(sub(bit_and(shift_right<24>(lanes), mask), offset));
}
struct ReadQ8 {
    static constexpr bool kIsScaled = true;
    static constexpr int kStep = 4;
    static constexpr int kBlockBytes = 544;
    static constexpr int kColumnBytes = kBlockBytes / 32;
    const std::byte* panel;
    NEOX_INLINE void load(std::int64_t k, F32x16* w) const {
        split_bytes<128, 8>(load_i32(panel + k / 32 * kBlockBytes + 32 + k % 32 / 4 * 64), w);
    }
    NEOX_INLINE F32x16 scale(std::int64_t block) const { return load_f16(panel + block * kBlockBytes); }
    NEOX_INLINE void prefetch_ahead(std::int64_t) const {}
};
struct ReadQ4 {
    static constexpr bool kIsScaled = true;
    static constexpr int kStep = 4;
    static constexpr int kBlockBytes = 288;
    static constexpr int kColumnBytes = kBlockBytes / 32;
    const std::byte* panel;
    NEOX_INLINE void load(std::int64_t k, F32x16* w) const {
        const std::int64_t group = k % 32 / 4;
        const I32x16 lanes = load_i32(panel + k / 32 * kBlockBytes + 32 + group % 4 * 64);
        split_bytes<8, 4>(group < 4 ? lanes : shift_right<4>(lanes), w);
    }
    NEOX_INLINE F32x16 scale(std::int64_t block) const { return load_f16(panel + block * kBlockBytes); }
    NEOX_INLINE void prefetch_ahead(std::int64_t) const {}
};
// One panel times kTokens tokens over n columns; `y` belongs to the first token. The totals start from 0 when
// is_first, else from y.
template <class Reader, int kTokens>
void f32_tile(const Reader& reader, std::int64_t n, const float* x, std::int64_t x_stride, float* y,
              std::int64_t y_stride, bool is_first) {
    constexpr int kStep = Reader::kStep;
    for (std::int64_t begin = 0; begin < n; begin += 32) {
        const std::int64_t end = n - begin < 32 ? n : begin + 32;
        F32x16 sum[kTokens];
        NEOX_UNROLL
        for (int t = 0; t < kTokens; ++t) sum[t] = broadcast(0.0f);
        reader.prefetch_ahead(begin);
        for (std::int64_t k = begin; k < end; k += kStep) {
            F32x16 w[kStep];
            reader.load(k, w);
            NEOX_UNROLL
            for (int j = 0; j < kStep; ++j) {
                NEOX_UNROLL
                for (int t = 0; t < kTokens; ++t)
                    sum[t] = fma(w[j], broadcast(x[t * x_stride + k + j]), sum[t]);
            }
        }
        const F32x16 scale = reader.scale(begin / 32);
        NEOX_UNROLL
        for (int t = 0; t < kTokens; ++t) {
            // The totals stay in y: registers are for the sums.
            float* to = y + t * y_stride;
            const F32x16 total = is_first && begin == 0 ? broadcast(0.0f) : load(to);
            store(to, Reader::kIsScaled ? fma(scale, sum[t], total) : add(total, sum[t]));
        }
    }
}

template <class Reader, int kTokens = kF32Tokens>
NEOX_INLINE void f32_tile_of(std::int64_t n_tokens, const Reader& reader, std::int64_t n, const float* x,
                             std::int64_t x_stride, float* y, std::int64_t y_stride, bool is_first) {
    if (n_tokens == kTokens) {
        f32_tile<Reader, kTokens>(reader, n, x, x_stride, y, y_stride, is_first);
    } else if constexpr (kTokens > 1) {
        f32_tile_of<Reader, kTokens - 1>(n_tokens, reader, n, x, x_stride, y, y_stride, is_first);
    }
}

// All tokens of the same panel and columns: as few tiles as possible, as even as possible.
template <class Reader>
void f32_tiles(const Reader& reader, std::int64_t n, const float* x, std::int64_t x_stride,
               std::int64_t n_tokens, float* y, std::int64_t y_stride, bool is_first) {
    for (std::int64_t n_tiles = (n_tokens + kF32Tokens - 1) / kF32Tokens; n_tiles > 0; --n_tiles) {
        const std::int64_t tokens = (n_tokens + n_tiles - 1) / n_tiles;
        f32_tile_of(tokens, reader, n, x, x_stride, y, y_stride, is_first);
        n_tokens -= tokens;
        x += tokens * x_stride;
        y += tokens * y_stride;
    }
}

// The first n columns of a quantized panel as floats.
template <class Reader> void unpack_f32(const Reader& reader, std::int64_t n, float* weights, float* scales) {
    for (std::int64_t k = 0; k < n; k += Reader::kStep) {
        F32x16 w[Reader::kStep];
        reader.load(k, w);
        for (int j = 0; j < Reader::kStep; ++j) store(weights + 16 * (k + j), w[j]);
    }
    for (std::int64_t block = 0; 32 * block < n; ++block) store(scales + 16 * block, reader.scale(block));
}

// Plain weights are converted in registers each time. Quantized ones, where that costs more, are unpacked
// once per chunk when several tiles use them.
template <class Reader> void matmul_f32(const MatmulArgs& args) {
    const Activations& x = *args.x;
    const bool is_one_pass = x.n_tokens <= kF32Tokens;
    const std::int64_t chunk = is_one_pass ? x.n_cols : kF32Chunk;
    for (std::int64_t panel = args.panel_begin; panel < args.panel_end; ++panel) {
        const std::byte* weights = args.weights + static_cast<std::size_t>(panel) * args.panel_bytes;
        float* y = args.y + 16 * panel;
        for (std::int64_t begin = 0; begin < x.n_cols; begin += chunk) {
            const std::int64_t n = x.n_cols - begin < chunk ? x.n_cols - begin : chunk;
            const Reader reader{weights + begin * Reader::kColumnBytes};
            if (Reader::kIsScaled && !is_one_pass) {
                float floats[16 * kF32Chunk], scales[kF32Chunk / 2];
                unpack_f32(reader, n, floats, scales);
                f32_tiles(ReadUnpacked{floats, scales}, n, x.f32 + begin, x.n_cols, x.n_tokens, y,
                          args.y_stride, begin == 0);
            } else {
                f32_tiles(reader, n, x.f32 + begin, x.n_cols, x.n_tokens, y, args.y_stride, begin == 0);
            }
        }
    }
}

MatmulFn find_matmul_f32(DType weights) {
    switch (weights) {
        case DType::F32: return matmul_f32<ReadF32>;
        case DType::F16: return matmul_f32<ReadF16>;
        case DType::BF16: return matmul_f32<ReadBf16>;
        case DType::Q8_0: return matmul_f32<ReadQ8>;
        case DType::Q4_0: return matmul_f32<ReadQ4>;
        default: return nullptr;
    }
}

}  // namespace neox::NEOX_ISA
