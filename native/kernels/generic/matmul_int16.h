// Matrix products in integers of 16 bits with the rows of a prompt, for every weight type. Included inside a target region;
// see README.md.
//
// Weights and activations are integers times a scale, which kInt16Cols columns of a row share (quantize_int16.h). The order
// for one output element: blocks of kInt16Cols columns one after the other; a block's sum is an exact int32. Then
//   total = fma(float(sum) * activation scale, weight scale, total).
// No sum overflows, whatever its order: the integers of a block have a Euclidean norm below 2^15.5, so by the
// Cauchy-Schwarz inequality the sum of any of their products stays below 2^31 in magnitude.
#pragma once

namespace neox::NEOX_ISA {

// Few columns keep small what a large value costs its neighbours, many make scales rare.
inline constexpr int kInt16Cols = 64;
inline constexpr int kInt16Pairs = kInt16Cols / 2;

// Integers lie in pairs, the first in the lower half: pair i of 32 columns is columns i and i + 16. What is not there,
// columns behind the last one among it, is zero.
struct Int16TokenBlock {
    std::int32_t pairs[kInt16Pairs][kInt16Tokens];
    float scales[kInt16Tokens];
};
struct Int16PanelBlock {
    std::int32_t pairs[kInt16Pairs][kInt16Panels][16];
    float scales[kInt16Panels][16];
};

// All panels times kTokens tokens of a tile, added to the totals: registers are for the sums. (Rows of y would not do in place
// of totals side by side: often they are multiples of 4 KiB apart and drive each other out of the first-level cache. And
// without __restrict, GCC keeps to the order of loads and stores at the end of a block, which costs 7 %.)
template <int kTokens>
void multiply_int16_tokens(const TileArgs& args, float (*__restrict totals)[16 * kInt16Panels]) {
    const auto* w = reinterpret_cast<const Int16PanelBlock*>(args.panels);
    const auto* x = reinterpret_cast<const Int16TokenBlock*>(args.tile);
    for (std::int64_t b = 0; b < args.n_blocks; ++b, ++w, ++x) {
        I32x16 sum[kTokens][kInt16Panels];
        NEOX_UNROLL
        for (int t = 0; t < kTokens; ++t) {
            NEOX_UNROLL
            for (int p = 0; p < kInt16Panels; ++p) sum[t][p] = broadcast(0);
        }
        for (int i = 0; i < kInt16Pairs; ++i) {
            I32x16 weights[kInt16Panels];
            NEOX_UNROLL
            for (int p = 0; p < kInt16Panels; ++p) weights[p] = load_i32(w->pairs[i][p]);
            NEOX_UNROLL
            for (int t = 0; t < kTokens; ++t) {
                const I32x16 pair = broadcast(x->pairs[i][t]);
                NEOX_UNROLL
                for (int p = 0; p < kInt16Panels; ++p)
                    sum[t][p] = kept(add_pair_products(sum[t][p], weights[p], pair));
            }
        }
        F32x16 scales[kInt16Panels];
        NEOX_UNROLL
        for (int p = 0; p < kInt16Panels; ++p) scales[p] = load(w->scales[p]);
        NEOX_UNROLL
        for (int t = 0; t < kTokens; ++t) {
            const F32x16 scale = broadcast(x->scales[t]);
            NEOX_UNROLL
            for (int p = 0; p < kInt16Panels; ++p) {
                float* to = totals[t] + 16 * p;
                store(to, fma(mul(to_f32(sum[t][p]), scale), scales[p], load(to)));
            }
        }
    }
}

// Fewer panels or tokens than a tile has are computed beside it, with whatever stands for the others.
void multiply_int16(const TileArgs& args) {
    constexpr int kThird = kInt16Tokens / 3;
    static_assert(kInt16Tokens % 3 == 0);
    alignas(64) float totals[kInt16Tokens][16 * kInt16Panels];
    for (int t = 0; t < kInt16Tokens; ++t) {
        for (int p = 0; p < kInt16Panels; ++p) {
            const bool is_real = !args.is_first && t < args.n_tokens && p < args.n_panels;
            store(totals[t] + 16 * p, is_real ? load(args.y + t * args.y_stride + 16 * p) : broadcast(0.0f));
        }
    }
    if (args.n_tokens > 2 * kThird) {
        multiply_int16_tokens<kInt16Tokens>(args, totals);
    } else if (args.n_tokens > kThird) {
        multiply_int16_tokens<2 * kThird>(args, totals);
    } else {
        multiply_int16_tokens<kThird>(args, totals);
    }
    for (int t = 0; t < args.n_tokens; ++t) {
        for (int p = 0; p < args.n_panels; ++p)
            store(args.y + t * args.y_stride + 16 * p, load(totals[t] + 16 * p));
    }
}

}  // namespace neox::NEOX_ISA
