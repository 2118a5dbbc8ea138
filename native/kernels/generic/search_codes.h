// From values to the codes of every type: which search, over which starting points. Included inside a target
// region; see README.md.
#pragma once

#include "kernels/generic/search_affine.h"
#include "kernels/generic/search_scale.h"

namespace neox::NEOX_ISA {

// Blocks of 32 with one scale: Q4_0, Q5_0, IQ4_NL.
template <class Values, Weighting kWeighting, Variance kVariance>
void search_small(const CodeSearch& search, Steps steps, Steps others) {
    Lanes<32> lanes;
    load_lanes<32, 1, kWeighting, kVariance>(search, lanes);
    const F32x16 scale = settle_scale<Values>(lanes, search_scale<Values>(lanes, steps, others));
    const F32x16 inverse = reciprocal(scale);
    for (F32x16& x : lanes.x) x = Values::code(x, inverse);
    store_codes<32, 1>(lanes.x, Values::kCodeBase, search);
    for (int block = 0; block < search.n_blocks; ++block)
        search.codes[block].d = f16_of_block<1>(scale, block);
}

// Blocks of 32 with a scale and a minimum: Q4_1, Q5_1.
template <int kTop> void search_small_affine(const CodeSearch& search, Steps insets) {
    Lanes<32> lanes;
    load_lanes<32, 1, Weighting::uniform, Variance::of_row>(search, lanes);
    // Without a common offset, which would drown the differences.
    F32x16 offset = lanes.x[0];
    for (const F32x16& x : lanes.x) offset = min(x, offset);
    for (F32x16& x : lanes.x) x = sub(x, offset);
    const Affine fit = settle_affine<kTop>(lanes, search_affine<kTop, false>(lanes, insets), offset);
    const F32x16 inverse = reciprocal(fit.scale), min_value = sub(fit.min, offset);
    for (F32x16& x : lanes.x) x = affine_code<kTop>(x, min_value, inverse);
    store_codes<32, 1>(lanes.x, 0, search);
    for (int block = 0; block < search.n_blocks; ++block) {
        search.codes[block].d = f16_of_block<1>(fit.scale, block);
        search.codes[block].m = f16_of_block<1>(fit.min, block);
    }
}

// Integers of the lanes' sub-blocks to their blocks.
template <int kLanes>
NEOX_INLINE void store_integers(F32x16 integers, int base, const CodeSearch& search, bool as_mins) {
    float lanes[16];
    store(lanes, integers);
    for (int lane = 0; lane < search.n_blocks * kLanes; ++lane) {
        BlockCodes& codes = search.codes[lane / kLanes];
        // A pointer, for g++ 12 with -fsanitize=undefined would write to a copy of the chosen array.
        std::uint8_t* const numbers = as_mins ? codes.mins : codes.scales;
        numbers[lane % kLanes] = static_cast<std::uint8_t>(static_cast<int>(lanes[lane]) + base);
    }
}

// Super-blocks of 16 x 16 without minima: Q3_K, Q6_K.
template <class Values, int kScaleSteps, int kScaleBase, Variance kVariance>
void search_k(const CodeSearch& search, Steps steps, Steps others, Steps block_steps) {
    Lanes<16> lanes;
    load_lanes<16, 16, Weighting::magnitude, kVariance>(search, lanes);
    const F32x16 scale = search_scale<Values>(lanes, steps, others);
    const BlockScales found = search_block_scales<Values, 16, kScaleSteps>(lanes, scale, block_steps);
    const F32x16 inverse = reciprocal(mul(found.d, found.integers));
    for (F32x16& x : lanes.x) x = Values::code(x, inverse);
    store_codes<16, 16>(lanes.x, Values::kCodeBase, search);
    store_integers<16>(found.integers, kScaleBase, search, false);
    search.codes[0].d = f16_of_block<16>(found.d, 0);
}

// Super-blocks with minima: Q2_K (16 x 16), Q4_K and Q5_K (8 x 32).
template <int kTop, int kLength, int kLanes, int kScaleSteps, Weighting kWeighting, Variance kVariance>
void search_k_affine(const CodeSearch& search, Steps insets, Steps block_steps) {
    Lanes<kLength> lanes;
    load_lanes<kLength, kLanes, kWeighting, kVariance>(search, lanes);
    const Affine fit = search_affine<kTop, true>(lanes, insets);
    const BlockAffine found = search_block_affine<kTop, kLanes, kScaleSteps>(lanes, fit, block_steps);
    const F32x16 inverse = reciprocal(mul(found.d, found.scales));
    const F32x16 min_value = sub(zeros(), mul(found.dmin, found.mins));
    for (F32x16& x : lanes.x) x = affine_code<kTop>(x, min_value, inverse);
    store_codes<kLength, kLanes>(lanes.x, 0, search);
    store_integers<kLanes>(found.scales, 0, search, false);
    store_integers<kLanes>(found.mins, 0, search, true);
    for (int block = 0; block < search.n_blocks; ++block) {
        search.codes[block].d = f16_of_block<kLanes>(found.d, block);
        search.codes[block].m = f16_of_block<kLanes>(found.dmin, block);
    }
}

void search_codes(const CodeSearch& search) {
    switch (search.dtype) {
        case DType::Q4_0:
            return search_small<Integers<8>, Weighting::uniform, Variance::of_row>(search, {-1.2f, 0.2f, 12},
                                                                                   {-2.2f, 0.2f, 12});
        case DType::Q5_0:
            return search_small<Integers<16>, Weighting::uniform, Variance::of_row>(search, {-1.2f, 0.2f, 12},
                                                                                    {-2.2f, 0.2f, 12});
        case DType::IQ4_NL:
            return search_small<Iq4Values, Weighting::magnitude, Variance::twice_of_block>(
                search, {-10.0f, 2.0f, 11}, {-24.0f, 2.0f, 11});
        case DType::Q4_1: return search_small_affine<15>(search, {-0.6f, 0.2f, 8});
        case DType::Q5_1: return search_small_affine<31>(search, {-0.6f, 0.2f, 8});
        case DType::Q3_K:
            return search_k<Integers<4>, 32, 32, Variance::twice_of_block>(
                search, {-0.9f, 0.2f, 10}, {-1.9f, 0.2f, 10}, {-2.0f, 2.0f, 3});
        case DType::Q6_K:
            return search_k<Integers<32>, 128, 0, Variance::none>(search, {-0.9f, 0.2f, 10},
                                                                  {-1.9f, 0.2f, 10}, {-4.0f, 4.0f, 3});
        case DType::Q2_K:
            return search_k_affine<3, 16, 16, 15, Weighting::magnitude, Variance::of_block>(
                search, {-0.4f, 0.2f, 6}, {-1.0f, 1.0f, 3});
        case DType::Q4_K:
            return search_k_affine<15, 32, 8, 63, Weighting::rms_plus_magnitude, Variance::twice_of_block>(
                search, {-0.6f, 0.2f, 8}, {-2.0f, 2.0f, 3});
        case DType::Q5_K:
            return search_k_affine<31, 32, 8, 63, Weighting::rms_plus_magnitude, Variance::twice_of_block>(
                search, {-0.6f, 0.2f, 8}, {-2.0f, 2.0f, 3});
        default: return;
    }
}

}  // namespace neox::NEOX_ISA
