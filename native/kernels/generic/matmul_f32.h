// Matrix products in f32 arithmetic, for every weight type. Included inside a target region; see README.md.
//
// The order for one output element: blocks of 32 columns one after the other; within a block a sequential sum
// of fused multiply-adds from 0, s = fma(w[k], x[k], s); then total = total + s. A short block at the end of a row is
// added the same way. Quantized weights are the values of dequantize_row, bit for bit, so a product is that of the
// dequantized matrix.
#pragma once

namespace neox::NEOX_ISA {

// One panel times kTokens tokens over n columns; `y` belongs to the first token. The totals start from 0 when
// is_first, else from y.
template <class Reader, int kTokens>
void f32_tile(const Reader& reader, std::int64_t n, const float* x, std::int64_t x_stride, float* y,
              std::int64_t y_stride, bool is_first) {
    for (std::int64_t begin = 0; begin < n; begin += 32) {
        const std::int64_t end = n - begin < 32 ? n : begin + 32;
        F32x16 sum[kTokens];
        NEOX_UNROLL
        for (int t = 0; t < kTokens; ++t) sum[t] = broadcast(0.0f);
        if constexpr (Reader::kIsQuantized) {
            NEOX_UNROLL
            for (int g = 0; g < 8; ++g) {
                F32x16 w[4];
                reader.load(begin, g, w);
                NEOX_UNROLL
                for (int j = 0; j < 4; ++j) {
                    NEOX_UNROLL
                    for (int t = 0; t < kTokens; ++t)
                        sum[t] = fma(w[j], broadcast(x[t * x_stride + begin + 4 * g + j]), sum[t]);
                }
            }
        } else {
            reader.prefetch_ahead(begin);
            for (std::int64_t k = begin; k < end; ++k) {
                const F32x16 w = reader.load(k);
                NEOX_UNROLL
                for (int t = 0; t < kTokens; ++t) sum[t] = fma(w, broadcast(x[t * x_stride + k]), sum[t]);
            }
        }
        NEOX_UNROLL
        for (int t = 0; t < kTokens; ++t) {
            // The totals stay in y: registers are for the sums.
            float* to = y + t * y_stride;
            const F32x16 total = is_first && begin == 0 ? broadcast(0.0f) : load(to);
            store(to, add(total, sum[t]));
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

// n columns, whole heads, as floats.
template <class Format> void unpack_f32(const ReadQuantized<Format>& reader, std::int64_t n, float* weights) {
    for (std::int64_t k = 0; k < n; k += 32) {
        NEOX_UNROLL
        for (int g = 0; g < 8; ++g) {
            F32x16 w[4];
            reader.load(k, g, w);
            NEOX_UNROLL
            for (int j = 0; j < 4; ++j) store(weights + 16 * (k + 4 * g + j), w[j]);
        }
    }
}

// visit(tile, side, y of the first token) for each panel.
template <class Visit> NEOX_INLINE void for_each_f32_panel(const MatmulArgs& args, Visit&& visit) {
    for_each_tile(
        args, [](std::int64_t, std::int64_t) {},
        [&](const Tile& tile) {
            for (int p = 0; p < tile.n_panels; ++p)
                visit(tile, tile.side + p, args.y + 16 * (tile.panel + p));
        });
}

// Plain weights are converted in registers each time.
template <class Reader> void matmul_f32(const MatmulArgs& args) {
    const Activations& x = *args.x;
    for_each_f32_panel(args, [&](const Tile& tile, int side, float* y) {
        f32_tiles(Reader(tile, side), tile.n_cols, x.f32 + tile.column, x.n_cols, x.n_tokens, y,
                  args.y_stride, tile.column == 0);
    });
}

// Quantized weights are unpacked once for all tokens where several tiles use them.
template <class Format> void matmul_f32_quantized(const MatmulArgs& args) {
    const Activations& x = *args.x;
    alignas(64) float weights[16 * kTileCols];
    for_each_f32_panel(args, [&](const Tile& tile, int side, float* y) {
        const ReadQuantized<Format> reader(tile, side);
        const float* from = x.f32 + tile.column;
        const bool is_first = tile.column == 0;
        if (x.n_tokens <= kF32Tokens) {
            f32_tiles(reader, tile.n_cols, from, x.n_cols, x.n_tokens, y, args.y_stride, is_first);
        } else {
            unpack_f32(reader, tile.n_cols, weights);
            f32_tiles(ReadUnpacked{weights}, tile.n_cols, from, x.n_cols, x.n_tokens, y, args.y_stride,
                      is_first);
        }
    });
}

MatmulFn find_matmul_f32(DType weights) {
    switch (weights) {
        case DType::F32: return matmul_f32<ReadF32>;
        case DType::F16: return matmul_f32<ReadF16>;
        case DType::BF16: return matmul_f32<ReadBf16>;
        default:
            return for_format(weights,
                              [](auto format) -> MatmulFn { return matmul_f32_quantized<decltype(format)>; });
    }
}

}  // namespace neox::NEOX_ISA
