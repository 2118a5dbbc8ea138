// x ~ scale * code + min, code in [0, kTop]: the best pair of each lane, and for the K types the best
// integers for the scales and minima of a block. Included inside a target region; see README.md.
#pragma once

#include "kernels/generic/search_lanes.h"

namespace neox::NEOX_ISA {

struct Affine {
    F32x16 scale, min;
};

template <int kTop> NEOX_INLINE F32x16 affine_code(F32x16 x, F32x16 min_value, F32x16 inverse) {
    const F32x16 t = fma(sub(x, min_value), inverse, broadcast(kRound));
    return sub(clamp(t, broadcast(kRound), broadcast(kRound + kTop)), broadcast(kRound));
}

// Sums over a lane: w, w x, w x^2, and for given codes w q, w q^2, w x q.
struct LaneSums {
    F32x16 w, x, xx;
};
struct CodeSums {
    F32x16 q, qq, xq;
};
template <int kLength> NEOX_INLINE LaneSums lane_sums(const Lanes<kLength>& lanes) {
    LaneSums sums{zeros(), zeros(), zeros()};
    for (int k = 0; k < kLength; ++k) {
        const F32x16 wx = mul(lanes.w[k], lanes.x[k]);
        sums.w = add(lanes.w[k], sums.w);
        sums.x = add(wx, sums.x);
        sums.xx = fma(wx, lanes.x[k], sums.xx);
    }
    return sums;
}
template <int kTop, int kLength>
NEOX_INLINE CodeSums code_sums(const Lanes<kLength>& lanes, F32x16 min_value, F32x16 inverse) {
    CodeSums sums{zeros(), zeros(), zeros()};
    for (int k = 0; k < kLength; ++k) {
        const F32x16 q = affine_code<kTop>(lanes.x[k], min_value, inverse);
        const F32x16 wq = mul(lanes.w[k], q);
        sums.q = add(wq, sums.q);
        sums.qq = fma(wq, q, sums.qq);
        sums.xq = fma(wq, lanes.x[k], sums.xq);
    }
    return sums;
}

// Sum of w (x - min - scale q)^2 with the best codes.
template <int kTop, int kLength> NEOX_INLINE F32x16 affine_error(const Lanes<kLength>& lanes, Affine fit) {
    const F32x16 inverse = reciprocal(fit.scale);
    F32x16 error = zeros();
    for (int k = 0; k < kLength; ++k) {
        const F32x16 above = sub(lanes.x[k], fit.min);
        const F32x16 t = fma(above, inverse, broadcast(kRound));
        const F32x16 q = sub(clamp(t, broadcast(kRound), broadcast(kRound + kTop)), broadcast(kRound));
        const F32x16 e = fnma(fit.scale, q, above);
        error = fma(mul(lanes.w[k], e), e, error);
    }
    return error;
}

// The least squares fit to given codes; kNonPositive: with min <= 0.
template <bool kNonPositive> NEOX_INLINE Affine fit_affine(const LaneSums& s, const CodeSums& c) {
    const F32x16 determinant = fnma(c.q, c.q, mul(s.w, c.qq));
    const F32x16 inverse = reciprocal(determinant);
    Affine fit{mul(fnma(s.x, c.q, mul(s.w, c.xq)), inverse), mul(fnma(c.q, c.xq, mul(c.qq, s.x)), inverse)};
    // Where all codes are equal the two cannot be told apart: one is the mean, the other 0.
    const F32x16 doubt = mul(mul(s.w, c.qq), broadcast(1e-6f));
    const F32x16 slope = mul(c.xq, reciprocal(c.qq));
    const F32x16 level = select_less(zeros(), c.qq, zeros(), mul(s.x, reciprocal(s.w)));
    fit.scale = select_less(doubt, determinant, fit.scale, slope);
    fit.min = select_less(doubt, determinant, fit.min, level);
    if (kNonPositive) {
        fit.scale = select_less(zeros(), fit.min, slope, fit.scale);
        fit.min = min(fit.min, zeros());
    }
    return fit;
}

struct BestAffine {
    Affine fit;
    F32x16 error;
    NEOX_INLINE void offer(const LaneSums& s, const CodeSums& c, Affine other) {
        // sum w (x - min - scale q)^2 from the sums
        const F32x16 two = broadcast(2.0f);
        const F32x16 of_scale = mul(other.scale, fnma(two, c.xq, mul(other.scale, c.qq)));
        const F32x16 cross = fma(mul(two, other.scale), c.q, fma(other.min, s.w, mul(broadcast(-2.0f), s.x)));
        const F32x16 candidate = fma(other.min, cross, add(s.xx, of_scale));
        fit.scale = select_less(candidate, error, other.scale, fit.scale);
        fit.min = select_less(candidate, error, other.min, fit.min);
        error = min(candidate, error);
    }
};

// The search begins with the lowest and the highest code inside (or, negative, outside) the range of the
// values by so many steps of the scale, in every combination.
template <int kTop, bool kNonPositive, int kLength>
Affine search_affine(const Lanes<kLength>& lanes, Steps insets) {
    F32x16 low = kNonPositive ? min(lanes.x[0], zeros()) : lanes.x[0], high = lanes.x[0];
    for (const F32x16& x : lanes.x) low = min(x, low), high = max(x, high);
    const F32x16 range = sub(high, low), unit = reciprocal(range);
    const LaneSums sums = lane_sums(lanes);
    BestAffine best{{zeros(), low}, broadcast(3e38f)};
    for (int i = 0; i < insets.n * insets.n; ++i) {
        const float at_low = insets[i / insets.n], at_high = insets[i % insets.n];
        const float steps = static_cast<float>(kTop) + at_low + at_high;
        const F32x16 inverse = mul(unit, broadcast(steps));
        const F32x16 from = fma(range, broadcast(at_low / steps), low);
        const CodeSums codes = code_sums<kTop>(lanes, from, inverse);
        best.offer(sums, codes, fit_affine<kNonPositive>(sums, codes));
    }
    for (int i = 0; i < 3; ++i) {
        const CodeSums codes = code_sums<kTop>(lanes, best.fit.min, reciprocal(best.fit.scale));
        best.offer(sums, codes, fit_affine<kNonPositive>(sums, codes));
    }
    return best.fit;
}

// Best pair of f16 numbers. `offset` was taken off the values; the minimum that is stored is that of the
// values.
template <int kTop, int kLength>
Affine settle_affine(const Lanes<kLength>& lanes, Affine fit, F32x16 offset) {
    Affine best{zeros(), zeros()};
    F32x16 least = broadcast(3e38f);
    for (int i = 0; i < 3; ++i) {
        const F32x16 stored = round_f16(add(fit.min, offset));
        const F32x16 min_value = sub(stored, offset);
        // The scale that suits the rounded minimum.
        const CodeSums codes = code_sums<kTop>(lanes, min_value, reciprocal(fit.scale));
        const LaneSums sums = lane_sums(lanes);
        const F32x16 slope = mul(fnma(min_value, codes.q, codes.xq), reciprocal(codes.qq));
        const F32x16 scale = round_f16(slope);
        const F32x16 error = affine_error<kTop>(lanes, {scale, min_value});
        best.scale = select_less(error, least, scale, best.scale);
        best.min = select_less(error, least, stored, best.min);
        least = min(error, least);
        const CodeSums again = code_sums<kTop>(lanes, min_value, reciprocal(scale));
        fit = fit_affine<false>(sums, again);
    }
    return best;
}

// The scales and minima of a block as d * integer and -dmin * integer; error is that of the whole block.
struct BlockAffine {
    F32x16 d, dmin, scales, mins, error;
    NEOX_INLINE void keep_better(const BlockAffine& other) {
        d = select_less(other.error, error, other.d, d);
        dmin = select_less(other.error, error, other.dmin, dmin);
        scales = select_less(other.error, error, other.scales, scales);
        mins = select_less(other.error, error, other.mins, mins);
        error = min(other.error, error);
    }
};

// The integers next to the lanes' own fits: for each of three scales the minimum that suits it.
template <int kTop, int kLanes, int kSteps, int kLength>
NEOX_INLINE BlockAffine choose_integers(const Lanes<kLength>& lanes, const LaneSums& sums, Affine fit,
                                        F32x16 d, F32x16 dmin) {
    constexpr float kHigh = kSteps;
    const F32x16 per_dmin = reciprocal(sub(zeros(), dmin));
    const F32x16 near = round_within(mul(fit.scale, reciprocal(d)), 0.0f, kHigh);
    BlockAffine best{d, dmin, near, zeros(), broadcast(3e38f)};
    for (const float step : kAround) {
        const F32x16 integer = clamp(add(near, broadcast(step)), zeros(), broadcast(kHigh));
        const F32x16 scale = mul(d, integer);
        const CodeSums codes = code_sums<kTop>(lanes, fit.min, reciprocal(scale));
        const F32x16 wanted = mul(fnma(scale, codes.q, sums.x), reciprocal(sums.w));
        const F32x16 min_integer = round_within(mul(wanted, per_dmin), 0.0f, kHigh);
        const F32x16 min_value = sub(zeros(), mul(dmin, min_integer));
        best.keep_better({d, dmin, integer, min_integer, affine_error<kTop>(lanes, {scale, min_value})});
    }
    best.error = block_sum<kLanes>(mul(best.error, lanes.share));
    return best;
}

// The d and dmin that suit integers and codes best: the least squares of x - d (scales q) + dmin mins.
template <int kLanes, int kLength>
NEOX_INLINE void refit(const Lanes<kLength>& lanes, const LaneSums& sums, const CodeSums& codes,
                       const BlockAffine& block, F32x16& d, F32x16& dmin) {
    const F32x16 s = mul(block.scales, lanes.share), m = mul(block.mins, lanes.share);
    const F32x16 ss = block_sum<kLanes>(mul(mul(s, block.scales), codes.qq));
    const F32x16 sm = block_sum<kLanes>(mul(mul(s, block.mins), codes.q));
    const F32x16 mm = block_sum<kLanes>(mul(mul(m, block.mins), sums.w));
    const F32x16 sx = block_sum<kLanes>(mul(s, codes.xq));
    const F32x16 mx = block_sum<kLanes>(mul(m, sums.x));
    const F32x16 determinant = fnma(sm, sm, mul(ss, mm));
    const F32x16 inverse = reciprocal(determinant);
    const F32x16 doubt = mul(mul(ss, mm), broadcast(1e-6f));
    d = select_less(doubt, determinant, mul(fnma(sm, mx, mul(mm, sx)), inverse), mul(sx, reciprocal(ss)));
    dmin = select_less(doubt, determinant, mul(fnma(ss, mx, mul(sm, sx)), inverse), dmin);
}

// Begins with the largest scale and minimum at kSteps + step, for each step; then integers and d, dmin are
// fitted to each other.
template <int kTop, int kLanes, int kSteps, int kLength>
BlockAffine search_block_affine(const Lanes<kLength>& lanes, Affine lane_fit, Steps steps) {
    constexpr int kRounds = 3;
    const LaneSums sums = lane_sums(lanes);
    const F32x16 largest = block_max<kLanes>(lane_fit.scale);
    const F32x16 lowest = block_max<kLanes>(sub(zeros(), lane_fit.min));
    BlockAffine best{zeros(), zeros(), zeros(), zeros(), broadcast(3e38f)};
    for (int i = 0; i < steps.n; ++i) {
        const F32x16 part = broadcast(1.0f / (static_cast<float>(kSteps) + steps[i]));
        F32x16 d = mul(largest, part), dmin = mul(lowest, part);
        Affine fit = lane_fit;
        for (int round = 0; round < kRounds; ++round) {
            d = round_f16(max(d, zeros())), dmin = round_f16(max(dmin, zeros()));
            const BlockAffine found = choose_integers<kTop, kLanes, kSteps>(lanes, sums, fit, d, dmin);
            best.keep_better(found);
            if (round + 1 == kRounds) break;
            const F32x16 min_value = sub(zeros(), mul(dmin, found.mins));
            const CodeSums codes = code_sums<kTop>(lanes, min_value, reciprocal(mul(d, found.scales)));
            refit<kLanes>(lanes, sums, codes, found, d, dmin);
            fit = fit_affine<true>(sums, codes);
        }
    }
    return best;
}

}  // namespace neox::NEOX_ISA
