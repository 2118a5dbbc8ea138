// Matrix products in bf16, for every weight type. Included inside a target region; see README.md.
//
// Weights (the values of dequantize_row) and activations are rounded to bf16, to nearest, ties to even. The order for
// one output element: from total = 0, for each pair of columns (k, k + 1)
//   total = fma(w[k + 1], x[k + 1], total), then total = fma(w[k], x[k], total)
// in f32, where subnormal inputs count as zero and a subnormal result becomes one. That is what vdpbf16ps does, by its
// description in Intel's Software Developer's Manual, volume 2 (which also says that it neither heeds nor sets MXCSR),
// and AMD's processors do the same bit for bit. An odd row ends with a column of zeros.
#pragma once

namespace neox::NEOX_ISA {

// Columns that are unpacked at once and then met by all tokens: 96 KiB for two panels, which stay in the second-level
// cache and fit into a small thread's stack. Whole tiles.
inline constexpr std::int64_t kBf16Chunk = 6 * kTileCols;
inline constexpr int kBf16Panels = 2;
inline constexpr int kBf16Rows = 16 * kBf16Panels;

// The columns of a tile's panel, as [pair of columns][kBf16Rows], this panel's 16 rows at `to`.
using UnpackBf16 = void (*)(const Tile& tile, std::uint32_t* to);

template <class Load> void unpack_bf16_plain(const Tile& tile, std::uint32_t* to) {
    const std::byte* from = tile.data + tile.side * Load::kColumnBytes;
    const std::int64_t step = std::int64_t{tile.width} * Load::kColumnBytes;
    for (std::int64_t k = 0; k < tile.n_cols; k += 2, from += 2 * step, to += kBf16Rows)
        store_pairs(to, bf16_pairs(Load::from(from),
                                   k + 1 < tile.n_cols ? Load::from(from + step) : broadcast(0.0f)));
}

template <class Format> void unpack_bf16_quantized(const Tile& tile, std::uint32_t* to) {
    for (std::int64_t k = 0; k < tile.n_cols; k += 32) {
        NEOX_UNROLL
        for (int g = 0; g < 8; ++g, to += 2 * kBf16Rows) {
            F32x16 w[4];
            dequantize<Format>(tile, tile.side, k, g, w);
            store_pairs(to, bf16_pairs(w[0], w[1]));
            store_pairs(to + kBf16Rows, bf16_pairs(w[2], w[3]));
        }
    }
}

// Two panels times kTokens tokens of a packed tile. What is not among the n_panels and n_tokens is computed and left
// out. The totals start from 0 when is_first, else from y.
template <int kTokens>
void bf16_tile(const std::uint32_t* weights, const std::uint32_t* x, std::int64_t n_pairs, int n_panels,
               int n_tokens, float* y, std::int64_t y_stride, bool is_first) {
    F32x16 total[kTokens][kBf16Panels];
    NEOX_UNROLL
    for (int t = 0; t < kTokens; ++t) {
        NEOX_UNROLL
        for (int p = 0; p < kBf16Panels; ++p)
            total[t][p] = is_first || t >= n_tokens || p >= n_panels ? broadcast(0.0f)
                                                                     : load(y + t * y_stride + 16 * p);
    }
    for (std::int64_t k = 0; k < n_pairs; ++k, weights += kBf16Rows, x += kBf16Tokens) {
        Bf16x32 w[kBf16Panels];
        NEOX_UNROLL
        for (int p = 0; p < kBf16Panels; ++p) w[p] = load_pairs(weights + 16 * p);
        NEOX_UNROLL
        for (int t = 0; t < kTokens; ++t) {
            const Bf16x32 value = broadcast_pair(x[t]);
            NEOX_UNROLL
            for (int p = 0; p < kBf16Panels; ++p) total[t][p] = dot_bf16(total[t][p], w[p], value);
        }
    }
    NEOX_UNROLL
    for (int t = 0; t < kTokens; ++t) {
        NEOX_UNROLL
        for (int p = 0; p < kBf16Panels; ++p)
            if (t < n_tokens && p < n_panels) store(y + t * y_stride + 16 * p, total[t][p]);
    }
}

// Two panels at a time are unpacked once, and every tile of tokens passes over them.
void matmul_bf16(const MatmulArgs& args, UnpackBf16 unpack) {
    const Activations& x = *args.x;
    alignas(64) std::uint32_t weights[kBf16Chunk / 2 * kBf16Rows];
    const std::int64_t tile_size = (x.n_cols + 1) / 2 * kBf16Tokens;
    for (std::int64_t panel = args.panel_begin; panel < args.panel_end; panel += kBf16Panels) {
        const int n_panels = args.panel_end - panel < kBf16Panels ? 1 : kBf16Panels;
        for (std::int64_t begin = 0; begin < x.n_cols; begin += kBf16Chunk) {
            const std::int64_t n = x.n_cols - begin < kBf16Chunk ? x.n_cols - begin : kBf16Chunk;
            const std::int64_t n_pairs = (n + 1) / 2;
            // A panel that is not there stands in by the one that is.
            for (std::int64_t column = begin; column < begin + n; column += kTileCols)
                for (int p = 0; p < kBf16Panels; ++p)
                    unpack(tile_of(args, panel + p % n_panels, column),
                           weights + (column - begin) / 2 * kBf16Rows + 16 * p);
            const std::uint32_t* tile = x.bf16 + begin / 2 * kBf16Tokens;
            for (int token = 0; token < x.n_tokens; token += kBf16Tokens, tile += tile_size) {
                float* y = args.y + token * args.y_stride + 16 * panel;
                const int n_tokens = x.n_tokens - token;
                if (n_tokens > 8) {
                    bf16_tile<12>(weights, tile, n_pairs, n_panels, n_tokens, y, args.y_stride, begin == 0);
                } else if (n_tokens > 4) {
                    bf16_tile<8>(weights, tile, n_pairs, n_panels, n_tokens, y, args.y_stride, begin == 0);
                } else {
                    bf16_tile<4>(weights, tile, n_pairs, n_panels, n_tokens, y, args.y_stride, begin == 0);
                }
            }
        }
    }
}

template <UnpackBf16 kUnpack> void matmul_bf16_of(const MatmulArgs& args) { matmul_bf16(args, kUnpack); }

MatmulFn find_matmul_bf16(DType weights) {
    switch (weights) {
        case DType::F32: return matmul_bf16_of<unpack_bf16_plain<LoadF32>>;
        case DType::F16: return matmul_bf16_of<unpack_bf16_plain<LoadF16>>;
        case DType::BF16: return matmul_bf16_of<unpack_bf16_plain<LoadBf16>>;
        default:
            return for_format(weights, [](auto format) -> MatmulFn {
                return matmul_bf16_of<unpack_bf16_quantized<decltype(format)>>;
            });
    }
}

// See Kernels::pack_bf16.
void pack_bf16(const float* x, int n_tokens, std::int64_t n_cols, std::uint32_t* pairs) {
    for (std::int64_t k = 0; k < n_cols; k += 32, pairs += 16 * kBf16Tokens) {
        const std::int64_t n = n_cols - k < 32 ? n_cols - k : 32;
        std::uint32_t rows[kBf16Tokens][16] = {};
        for (int t = 0; t < n_tokens; ++t) {
            const float* from = x + t * n_cols + k;
            float short_row[32] = {};
            if (n < 32) {
                for (std::int64_t i = 0; i < n; ++i) short_row[i] = from[i];
                from = short_row;
            }
            store_pairs(rows[t], bf16_neighbours(load(from), load(from + 16)));
        }
        for (std::int64_t i = 0; i < (n + 1) / 2; ++i) {
            for (int t = 0; t < kBf16Tokens; ++t) pairs[i * kBf16Tokens + t] = rows[t][i];
        }
    }
}

std::int64_t peak_bf16(std::int64_t n_rounds, float* sink) {
    std::uint32_t weights[16 * kPeakChains], values[16];
    for (std::uint32_t i = 0; i < 16 * kPeakChains; ++i) weights[i] = 0x3f803f80u + i;
    for (std::uint32_t i = 0; i < 16; ++i) values[i] = 0x3f80bf80u + i;
    F32x16 sums[kPeakChains];
    NEOX_UNROLL
    for (int c = 0; c < kPeakChains; ++c) sums[c] = broadcast(0.0f);
    for (std::int64_t round = 0; round < n_rounds; ++round) {
        const Bf16x32 x = broadcast_pair(values[round & 15]);
        NEOX_UNROLL
        for (int c = 0; c < kPeakChains; ++c) sums[c] = dot_bf16(sums[c], load_pairs(weights + 16 * c), x);
    }
    F32x16 total = sums[0];
    for (int c = 1; c < kPeakChains; ++c) total = add(total, sums[c]);
    *sink = reduce_add(total);
    return n_rounds * kPeakChains * 64;
}

}  // namespace neox::NEOX_ISA
