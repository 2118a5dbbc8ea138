// Weights and activations as integers of 16 bits (matmul_int16.h). Included inside a target region; see README.md.
//
// For the kInt16Cols values v of one row that share a scale:
//   scale = max(largest magnitude / 32767, Euclidean norm / kInt16Norm), integers = round(v * (1 / scale)), ties to even,
// or zeros and scale 0 where the largest magnitude is below 2^-100, zeros and scale NaN where it is infinite or NaN.
//
// So an integer is at most 32767 in magnitude, and the norm of a block's integers below 2^15.5 = 46340.95. In exact
// arithmetic it would be kInt16Norm at most, and rounding to integers adds at most sqrt(kInt16Cols) / 2. Rounding in f32 adds
// far less than the 1 that is left for it: the sum of squares is off by at most (kInt16Cols + 1) * 2^-24 of itself, its
// root by half as much, and each of the six operations behind it (root, two products, quotient, constant, v / scale) by 2^-24,
// in all less than 3e-6 of 46340.
#pragma once

#include "kernels/generic/quantize_block.h"

namespace neox::NEOX_ISA {

inline constexpr int kInt16Norm = 46335;
inline constexpr int kInt16Root = 8;  // of kInt16Cols
inline constexpr std::int64_t kInt16MostNorm = kInt16Norm + kInt16Root / 2 + 1;
static_assert(kInt16Root * kInt16Root == kInt16Cols);
static_assert(kInt16MostNorm * kInt16MostNorm < std::int64_t{1} << 31);

// Lane by lane. The factor is 1 / scale, or 0.
struct Int16Scale {
    F32x16 scale, factor;
};

// largest: the bits of the largest magnitudes. squares: the sums of the squares, or whatever where a largest magnitude is
// not 0 and outside [2^-40, 2^60): then scaled_squares(inverse) shall give those of the values times `inverse`, a power of two.
template <class Squares>
NEOX_INLINE Int16Scale int16_scale(I32x16 largest, F32x16 squares, Squares&& scaled_squares) {
    const F32x16 zero = broadcast(0.0f), one = broadcast(1.0f), top = f32_of_bits(largest);
    const F32x16 low = broadcast(0x1p-40f), high = broadcast(0x1p60f);
    F32x16 power = one;
    if (reduce_max(largest) >= bits_of(0x1p60f) ||
        reduce_max(bits_of(select_less(top, low, top, zero))) != 0) {
        // That of the largest magnitude, but not 2^127, whose inverse is subnormal.
        const I32x16 exponent = min(bit_and(largest, broadcast(kInfinityBits)), broadcast(253 << 23));
        const F32x16 own = f32_of_bits(exponent), inverse = f32_of_bits(sub(broadcast(254 << 23), exponent));
        power = select_less(top, low, own, select_less(top, high, one, own));
        squares = scaled_squares(select_less(top, low, inverse, select_less(top, high, one, inverse)));
    }
    const F32x16 by_norm = mul(mul(sqrt(squares), broadcast(1.0f / kInt16Norm)), power);
    const F32x16 scale = max(by_norm, mul(top, broadcast(1.0f / 32767)));
    const F32x16 least = f32_of_bits(broadcast(kTinyBits)), most = f32_of_bits(broadcast(kInfinityBits));
    const F32x16 factor = select_less(top, most, div(one, scale), zero);
    return {select_less(top, least, zero, select_less(top, most, scale, f32_of_bits(broadcast(kNanBits)))),
            select_less(top, least, zero, factor)};
}

// What is not a number stays zero: rounded, it is -2^31.
NEOX_INLINE I32x16 int16_pair(F32x16 low, F32x16 high, F32x16 factor) {
    const I32x16 first = round_to_i32(mul(low, factor)), second = round_to_i32(mul(high, factor));
    return add(bit_and(first, broadcast(0xffff)), shift_left<16>(second));
}

// See PromptKernels::quantize.
void quantize_int16(const float* x, std::int64_t n_cols, int n_tokens, std::byte* tile) {
    constexpr int kVectors = kInt16Cols / 16;
    auto* block = reinterpret_cast<Int16TokenBlock*>(tile);
    for (std::int64_t column = 0; column < n_cols; column += kInt16Cols, ++block) {
        const std::int64_t n = n_cols - column < kInt16Cols ? n_cols - column : kInt16Cols;
        float copies[kInt16Tokens][kInt16Cols];
        const float* rows[kInt16Tokens];
        std::int32_t largest[16] = {};
        F32x16 sums[16];
        for (int t = 0; t < 16; ++t) sums[t] = broadcast(0.0f);
        for (int t = 0; t < n_tokens; ++t) {
            rows[t] = x + t * n_cols + column;
            if (n < kInt16Cols) {
                std::memset(copies[t], 0, sizeof(copies[t]));
                std::memcpy(copies[t], rows[t], static_cast<std::size_t>(n) * sizeof(float));
                rows[t] = copies[t];
            }
            I32x16 top = broadcast(0);
            for (int v = 0; v < kVectors; ++v) {
                const F32x16 value = load(rows[t] + 16 * v);
                top = max(top, bits_of(abs(value)));
                sums[t] = fma(value, value, sums[t]);
            }
            largest[t] = reduce_max(top);
        }
        const Int16Scale by = int16_scale(load_i32(largest), reduce_add_rows(sums), [&](F32x16 inverse) {
            float inverses[16];
            store(inverses, inverse);
            for (int t = 0; t < n_tokens; ++t) {
                sums[t] = broadcast(0.0f);
                for (int v = 0; v < kVectors; ++v) {
                    const F32x16 value = mul(load(rows[t] + 16 * v), broadcast(inverses[t]));
                    sums[t] = fma(value, value, sums[t]);
                }
            }
            return reduce_add_rows(sums);
        });
        float scales[16], factors[16];
        store(scales, by.scale);
        store(factors, by.factor);
        std::int32_t pairs[kInt16Tokens][kInt16Pairs] = {};
        for (int t = 0; t < n_tokens; ++t) {
            const F32x16 factor = broadcast(factors[t]);
            for (int v = 0; v < kVectors; v += 2)
                store(pairs[t] + 8 * v,
                      int16_pair(load(rows[t] + 16 * v), load(rows[t] + 16 * v + 16), factor));
        }
        for (int i = 0; i < kInt16Pairs; ++i)
            for (int t = 0; t < kInt16Tokens; ++t) block->pairs[i][t] = pairs[t][i];
        std::memcpy(block->scales, scales, sizeof(block->scales));
    }
}

// The n columns from k on of a tile's panel `side`, as f32.
using LoadColumns = void (*)(const Tile& tile, std::int64_t k, std::int64_t n, float (*to)[16]);

template <class Load>
void load_plain_columns(const Tile& tile, std::int64_t k, std::int64_t n, float (*to)[16]) {
    const std::int64_t step = std::int64_t{tile.width} * Load::kColumnBytes;
    const std::byte* from = tile.data + tile.side * Load::kColumnBytes + k * step;
    for (std::int64_t i = 0; i < n; ++i, from += step) store(to[i], Load::from(from));
}

template <class Format>
void load_quantized_columns(const Tile& tile, std::int64_t k, std::int64_t n, float (*to)[16]) {
    for (const std::int64_t end = k + n; k < end; k += 32) {
        NEOX_UNROLL
        for (int g = 0; g < 8; ++g, to += 4) {
            F32x16 w[4];
            dequantize<Format>(tile, tile.side, k, g, w);
            NEOX_UNROLL
            for (int j = 0; j < 4; ++j) store(to[j], w[j]);
        }
    }
}

// kInt16Cols columns of a panel.
void quantize_int16_panel(const float (*columns)[16], int p, Int16PanelBlock& block) {
    I32x16 top = broadcast(0);
    F32x16 squares[2] = {broadcast(0.0f), broadcast(0.0f)};
    for (int i = 0; i < kInt16Cols; i += 2)
        for (int j = 0; j < 2; ++j) {
            const F32x16 value = load(columns[i + j]);
            top = max(top, bits_of(abs(value)));
            squares[j] = fma(value, value, squares[j]);
        }
    const Int16Scale by = int16_scale(top, add(squares[0], squares[1]), [&](F32x16 inverse) {
        F32x16 sums[2] = {broadcast(0.0f), broadcast(0.0f)};
        for (int i = 0; i < kInt16Cols; i += 2)
            for (int j = 0; j < 2; ++j) {
                const F32x16 value = mul(load(columns[i + j]), inverse);
                sums[j] = fma(value, value, sums[j]);
            }
        return add(sums[0], sums[1]);
    });
    store(block.scales[p], by.scale);
    for (int k = 0; k < kInt16Cols; k += 32)
        for (int i = 0; i < 16; ++i)
            store(block.pairs[k / 2 + i][p],
                  int16_pair(load(columns[k + i]), load(columns[k + 16 + i]), by.factor));
}

void unpack_int16(const PanelSlice& from, std::byte* to, LoadColumns load_columns) {
    auto* block = reinterpret_cast<Int16PanelBlock*>(to);
    for (std::int64_t b = 0; b < from.n_blocks; ++b, ++block) {
        const std::int64_t column = (from.first_block + b) * kInt16Cols, k = column % kTileCols;
        const std::int64_t left = from.n_cols - column, n = left < kInt16Cols ? left : kInt16Cols;
        for (int p = 0; p < kInt16Panels; ++p) {
            // A panel too few: the last one twice.
            const std::int64_t panel = from.panel + (p < from.n_panels ? p : from.n_panels - 1);
            const TilePlace place =
                place_tile(from.matrix_panels, from.n_cols, from.panel_bytes, panel, column - k);
            const Tile tile{
                from.weights + place.offset, place.width, place.side, 1, panel, column - k, 0, place.bytes};
            float columns[kInt16Cols][16];
            load_columns(tile, k, n, columns);
            for (std::int64_t i = n; i < kInt16Cols; ++i) store(columns[i], broadcast(0.0f));
            quantize_int16_panel(columns, p, *block);
        }
    }
}

template <LoadColumns kLoad> void unpack_int16_of(const PanelSlice& from, std::byte* to) {
    unpack_int16(from, to, kLoad);
}

PromptKernels find_prompt_int16(DType weights) {
    PromptKernels kernels{
        .block_cols = kInt16Cols,
        .tile_tokens = kInt16Tokens,
        .tile_panels = kInt16Panels,
        .tile_block_bytes = sizeof(Int16TokenBlock),
        .panel_block_bytes = sizeof(Int16PanelBlock),
        .quantize = quantize_int16,
        .unpack = nullptr,
        .multiply = multiply_int16,
        .multiply_single = nullptr,
    };
    switch (weights) {
        case DType::F32: kernels.unpack = unpack_int16_of<load_plain_columns<LoadF32>>; break;
        case DType::F16: kernels.unpack = unpack_int16_of<load_plain_columns<LoadF16>>; break;
        case DType::BF16: kernels.unpack = unpack_int16_of<load_plain_columns<LoadBf16>>; break;
        default:
            using Unpack = void (*)(const PanelSlice&, std::byte*);
            kernels.unpack = for_format(weights, [](auto format) -> Unpack {
                return unpack_int16_of<load_quantized_columns<decltype(format)>>;
            });
    }
    return kernels.unpack ? kernels : PromptKernels{};
}

}  // namespace neox::NEOX_ISA
