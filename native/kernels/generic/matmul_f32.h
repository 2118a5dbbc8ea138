// Matrix products in f32 arithmetic, for every weight type. Included inside a target region; see README.md.
//
// The order for one output element: blocks of 32 columns one after the other; within a block a sequential sum
// of fused multiply-adds from 0, s = fma(w[k], x[k], s); then total = total + s. A short block at the end of a row is
// added the same way. Quantized weights are the values of dequantize_row, bit for bit, so a product is that of the
// dequantized matrix.
#pragma once

namespace neox::NEOX_ISA {

// kPanels panels of a tile times kTokens tokens over n columns. `w` is the first panel's first column, the other panel's
// stands beside it; `y` belongs to the first panel and token. The totals start from 0 when is_first, else from y.
template <class Load, int kPanels, int kTokens>
void f32_tile(const std::byte* w, std::int64_t column_bytes, std::int64_t n, const float* x,
              std::int64_t x_stride, float* y, std::int64_t y_stride, bool is_first) {
    for (std::int64_t begin = 0; begin < n; begin += 32) {
        const std::int64_t end = n - begin < 32 ? n : begin + 32;
        F32x16 sum[kTokens][kPanels];
        NEOX_UNROLL
        for (int t = 0; t < kTokens; ++t) {
            NEOX_UNROLL
            for (int p = 0; p < kPanels; ++p) sum[t][p] = broadcast(0.0f);
        }
        for (std::int64_t k = begin; k < end; ++k) {
            F32x16 weights[kPanels];
            NEOX_UNROLL
            for (int p = 0; p < kPanels; ++p)
                weights[p] = Load::from(w + k * column_bytes + p * Load::kColumnBytes);
            NEOX_UNROLL
            for (int t = 0; t < kTokens; ++t) {
                const F32x16 value = broadcast(x[t * x_stride + k]);
                NEOX_UNROLL
                for (int p = 0; p < kPanels; ++p) sum[t][p] = fma(weights[p], value, sum[t][p]);
            }
        }
        NEOX_UNROLL
        for (int t = 0; t < kTokens; ++t) {
            NEOX_UNROLL
            for (int p = 0; p < kPanels; ++p) {
                // The totals stay in y: registers are for the sums.
                float* to = y + t * y_stride + 16 * p;
                const F32x16 total = is_first && begin == 0 ? broadcast(0.0f) : load(to);
                store(to, add(total, sum[t][p]));
            }
        }
    }
}

// What a product works on: some columns of a tile, and all tokens.
struct F32Part {
    const std::byte* w;
    std::int64_t column_bytes;
    std::int64_t n;
    const float* x;
    std::int64_t x_stride;
    float* y;
    std::int64_t y_stride;
    bool is_first;
};

template <class Load, int kPanels, int kTokens>
NEOX_INLINE void f32_tile_of(std::int64_t n_tokens, std::int64_t token, const F32Part& part) {
    if (n_tokens == kTokens) {
        f32_tile<Load, kPanels, kTokens>(part.w, part.column_bytes, part.n, part.x + token * part.x_stride,
                                         part.x_stride, part.y + token * part.y_stride, part.y_stride,
                                         part.is_first);
    } else if constexpr (kTokens > 1) {
        f32_tile_of<Load, kPanels, kTokens - 1>(n_tokens, token, part);
    }
}

// All tokens: tiles of kManyPairTokens as long as there are so many, for the rest as few as possible, as even as possible.
template <class Load, int kPanels> void f32_tiles(std::int64_t n_tokens, const F32Part& part) {
    std::int64_t token = 0;
    if constexpr (kPanels > 1 && kManyPairTokens > kPairTokens)
        for (; token + kManyPairTokens <= n_tokens; token += kManyPairTokens)
            f32_tile<Load, kPanels, kManyPairTokens>(
                part.w, part.column_bytes, part.n, part.x + token * part.x_stride, part.x_stride,
                part.y + token * part.y_stride, part.y_stride, part.is_first);
    for (std::int64_t n_tiles = (n_tokens - token + kPairTokens - 1) / kPairTokens; n_tiles > 0; --n_tiles) {
        const std::int64_t tokens = (n_tokens - token + n_tiles - 1) / n_tiles;
        f32_tile_of<Load, kPanels, kPairTokens>(tokens, token, part);
        token += tokens;
    }
}

template <class Load>
void multiply_f32(const Tile& tile, const std::byte* w, std::int64_t column_bytes, const MatmulArgs& args) {
    const Activations& x = *args.x;
    const F32Part part{w,
                       column_bytes,
                       tile.n_cols,
                       x.f32 + tile.column,
                       x.n_cols,
                       args.y + 16 * tile.panel,
                       args.y_stride,
                       tile.column == 0};
    if (tile.n_panels == 2) {
        f32_tiles<Load, 2>(x.n_tokens, part);
    } else {
        f32_tiles<Load, 1>(x.n_tokens, part);
    }
}

// Plain weights are converted in registers each time.
template <class Load> void matmul_f32(const MatmulArgs& args) {
    for_each_tile(
        args, [](std::int64_t, std::int64_t) {},
        [&](const Tile& tile) {
            multiply_f32<Load>(tile, tile.data + tile.side * Load::kColumnBytes,
                               std::int64_t{tile.width} * Load::kColumnBytes, args);
        });
}

// Quantized weights become a tile of f32 in the first-level cache.
template <class Format> void matmul_f32_quantized(const MatmulArgs& args) {
    alignas(64) float weights[kTileCols * 16 * kPairPanels];
    for_each_tile(
        args, [](std::int64_t, std::int64_t) {},
        [&](const Tile& tile) {
            const std::int64_t step = 16 * std::int64_t{tile.n_panels};
            for (int p = 0; p < tile.n_panels; ++p) {
                float* to = weights + 16 * p;
                for (std::int64_t k = 0; k < tile.n_cols; k += 32) {
                    NEOX_UNROLL
                    for (int g = 0; g < 8; ++g) {
                        F32x16 w[4];
                        dequantize<Format>(tile, tile.side + p, k, g, w);
                        NEOX_UNROLL
                        for (int j = 0; j < 4; ++j, to += step) store(to, w[j]);
                    }
                }
            }
            multiply_f32<LoadF32>(tile, reinterpret_cast<const std::byte*>(weights), 4 * step, args);
        });
}

MatmulFn find_matmul_f32(DType weights) {
    switch (weights) {
        case DType::F32: return matmul_f32<LoadF32>;
        case DType::F16: return matmul_f32<LoadF16>;
        case DType::BF16: return matmul_f32<LoadBf16>;
        default:
            return for_format(weights,
                              [](auto format) -> MatmulFn { return matmul_f32_quantized<decltype(format)>; });
    }
}

}  // namespace neox::NEOX_ISA
