// x ~ scale * value(code): the best scale of each lane, and for the K types the best integers for the scales
// of a block. Included inside a target region; see README.md.
#pragma once

#include "kernels/generic/search_lanes.h"

namespace neox::NEOX_ISA {

// The values of codes [0, 2 kBase): integers from -kBase to kBase - 1. value() finds the one next to x.
template <int kBase> struct Integers {
    static constexpr float kLargest = kBase;  // magnitude, and its value is negative
    static constexpr int kCodeBase = kBase;
    static NEOX_INLINE F32x16 value(F32x16 x, F32x16 inverse) {
        const F32x16 t = fma(x, inverse, broadcast(kRound));
        constexpr float kLow = kRound - kBase, kHigh = kRound + kBase - 1;
        return sub(clamp(t, broadcast(kLow), broadcast(kHigh)), broadcast(kRound));
    }
    static NEOX_INLINE F32x16 code(F32x16 x, F32x16 inverse) { return value(x, inverse); }
};

// The sixteen values of IQ4_NL.
struct Iq4Values {
    static constexpr float kLargest = 127;
    static constexpr int kCodeBase = 0;
    static NEOX_INLINE F32x16 code(F32x16 x, F32x16 inverse) {
        alignas(64) static constexpr float kMiddles[16] = {-115.5f, -93.5f, -74.0f, -57.0f, -42.0f, -28.5f,
                                                           -16.0f,  -4.5f,  7.0f,   19.0f,  31.5f,  45.5f,
                                                           61.0f,   79.0f,  101.0f, 1e30f};
        const F32x16 t = mul(x, inverse);
        I32x16 index = broadcast(0);
        for (std::int32_t step = 8; step > 0; step /= 2) {
            const F32x16 middle = lookup(kMiddles, add(index, broadcast(step - 1)));
            const F32x16 up = f32_of_bits(broadcast(step));
            index = add(index, bits_of(select_less(middle, t, up, zeros())));
        }
        return to_f32(index);
    }
    static NEOX_INLINE F32x16 value(F32x16 x, F32x16 inverse) {
        alignas(64) static constexpr float kValues[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                          1,    13,   25,  38,  53,  69,  89,  113};
        return lookup(kValues, round_to_i32(code(x, inverse)));
    }
};

// Sums over a lane for the codes that 1 / scale gives: w x q and w q^2.
struct ScaleSums {
    F32x16 xq, qq;
};
template <class Values, int kLength>
NEOX_INLINE ScaleSums scale_sums(const Lanes<kLength>& lanes, F32x16 inverse) {
    ScaleSums sums{zeros(), zeros()};
    for (int k = 0; k < kLength; ++k) {
        const F32x16 q = Values::value(lanes.x[k], inverse);
        const F32x16 wq = mul(lanes.w[k], q);
        sums.xq = fma(wq, lanes.x[k], sums.xq);
        sums.qq = fma(wq, q, sums.qq);
    }
    return sums;
}

// Sum of w (x - scale q)^2 with the best codes.
template <class Values, int kLength>
NEOX_INLINE F32x16 scale_error(const Lanes<kLength>& lanes, F32x16 scale) {
    const F32x16 inverse = reciprocal(scale);
    F32x16 error = zeros();
    for (int k = 0; k < kLength; ++k) {
        const F32x16 e = fnma(scale, Values::value(lanes.x[k], inverse), lanes.x[k]);
        error = fma(mul(lanes.w[k], e), e, error);
    }
    return error;
}

// Keeps the scale whose codes explain most: with the best scale for given codes, xq / qq, the error is
// sum w x^2 - xq^2 / qq.
struct BestScale {
    F32x16 scale, gain;
    NEOX_INLINE void offer(const ScaleSums& sums) {
        const F32x16 candidate = mul(sums.xq, reciprocal(sums.qq));
        const F32x16 candidate_gain = mul(candidate, sums.xq);
        scale = select_less(gain, candidate_gain, candidate, scale);
        gain = max(gain, candidate_gain);
    }
};

// Scales such that the largest magnitude falls on kLargest + r and, with the other sign, r steps from the
// other end; then the codes and the scale are fitted to each other.
template <class Values, int kLength>
F32x16 search_scale(const Lanes<kLength>& lanes, Steps steps, Steps others) {
    F32x16 low = lanes.x[0], high = lanes.x[0];
    for (const F32x16& x : lanes.x) low = min(x, low), high = max(x, high);
    const F32x16 largest = select_less(high, sub(zeros(), low), low, high);
    const F32x16 unit = reciprocal(largest);
    BestScale best{zeros(), zeros()};
    for (int i = 0; i < steps.n; ++i)
        best.offer(scale_sums<Values>(lanes, mul(unit, broadcast(-Values::kLargest - steps[i]))));
    for (int i = 0; i < others.n; ++i)
        best.offer(scale_sums<Values>(lanes, mul(unit, broadcast(Values::kLargest + others[i]))));
    for (int i = 0; i < 3; ++i) best.offer(scale_sums<Values>(lanes, reciprocal(best.scale)));
    return best.scale;
}

// Best of f16 scales: the rounding to f16 can ask for other codes, and those for another scale.
template <class Values, int kLength> F32x16 settle_scale(const Lanes<kLength>& lanes, F32x16 scale) {
    F32x16 best = round_f16(scale);
    F32x16 least = scale_error<Values>(lanes, best);
    for (int i = 0; i < 2; ++i) {
        const ScaleSums sums = scale_sums<Values>(lanes, reciprocal(best));
        const F32x16 candidate = round_f16(mul(sums.xq, reciprocal(sums.qq)));
        const F32x16 error = scale_error<Values>(lanes, candidate);
        best = select_less(error, least, candidate, best);
        least = min(error, least);
    }
    return best;
}

// The scales of a block as d * integer; error is that of the whole block.
struct BlockScales {
    F32x16 d, integers, error;
    NEOX_INLINE void keep_better(const BlockScales& other) {
        d = select_less(other.error, error, other.d, d);
        integers = select_less(other.error, error, other.integers, integers);
        error = min(other.error, error);
    }
};

// The integers in [-kSteps, kSteps) next to the lanes' own scales.
template <class Values, int kLanes, int kSteps, int kLength>
NEOX_INLINE BlockScales choose_integers(const Lanes<kLength>& lanes, F32x16 scale, F32x16 d) {
    constexpr float kLow = -kSteps, kHigh = kSteps - 1;
    const F32x16 near = round_within(mul(scale, reciprocal(d)), kLow, kHigh);
    BlockScales best{d, near, broadcast(3e38f)};
    for (const float step : kAround) {
        const F32x16 integer = clamp(add(near, broadcast(step)), broadcast(kLow), broadcast(kHigh));
        best.keep_better({d, integer, scale_error<Values>(lanes, mul(d, integer))});
    }
    best.error = block_sum<kLanes>(mul(best.error, lanes.share));
    return best;
}

// Begins with the scale of largest magnitude at -(kSteps + step), for each step; then integers and d are
// fitted to each other.
template <class Values, int kLanes, int kSteps, int kLength>
BlockScales search_block_scales(const Lanes<kLength>& lanes, F32x16 lane_scale, Steps steps) {
    constexpr int kRounds = 2;
    const F32x16 highest = block_max<kLanes>(lane_scale),
                 lowest = block_max<kLanes>(sub(zeros(), lane_scale));
    const F32x16 top = select_less(highest, lowest, sub(zeros(), lowest), highest);
    BlockScales best{zeros(), zeros(), broadcast(3e38f)};
    for (int i = 0; i < steps.n; ++i) {
        F32x16 d = mul(top, broadcast(-1.0f / (static_cast<float>(kSteps) + steps[i]))), scale = lane_scale;
        for (int round = 0; round < kRounds; ++round) {
            d = round_f16(d);
            const BlockScales found = choose_integers<Values, kLanes, kSteps>(lanes, scale, d);
            best.keep_better(found);
            if (round + 1 == kRounds) break;
            // The d that suits these integers and codes best.
            const ScaleSums sums = scale_sums<Values>(lanes, reciprocal(mul(d, found.integers)));
            const F32x16 weighted = mul(found.integers, lanes.share);
            const F32x16 up = block_sum<kLanes>(mul(weighted, sums.xq));
            const F32x16 down = block_sum<kLanes>(mul(mul(weighted, found.integers), sums.qq));
            d = mul(up, reciprocal(down));
            scale = select_less(zeros(), sums.qq, mul(sums.xq, reciprocal(sums.qq)), scale);
        }
    }
    return best;
}

}  // namespace neox::NEOX_ISA
