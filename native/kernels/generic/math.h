// exp and GELU over 16 lanes. Included inside a target region; see README.md.
#pragma once

namespace neox::NEOX_ISA {

// exp(x) within 1 ulp for x in [-87.3, 88.3], 0 below, exp(88.3) above; NaN stays NaN.
// x = n ln 2 + r; the polynomial is that of the Cephes library (expf).
NEOX_INLINE F32x16 exp(F32x16 x) {
    const F32x16 lowest = broadcast(-87.33654f);
    const F32x16 clamped = min(broadcast(88.37626f), max(lowest, x));
    const I32x16 n = round_to_i32(mul(clamped, broadcast(1.44269504f)));
    const F32x16 steps = to_f32(n);
    const F32x16 r = fnma(steps, broadcast(1.42860677e-6f), fnma(steps, broadcast(0.693145752f), clamped));
    F32x16 p = broadcast(1.9875691500e-4f);
    p = fma(p, r, broadcast(1.3981999507e-3f));
    p = fma(p, r, broadcast(8.3334519073e-3f));
    p = fma(p, r, broadcast(4.1665795894e-2f));
    p = fma(p, r, broadcast(1.6666665459e-1f));
    p = fma(p, r, broadcast(5.0000001201e-1f));
    p = add(fma(p, mul(r, r), r), broadcast(1.0f));
    const F32x16 power = f32_of_bits(shift_left<23>(add(n, broadcast(127))));
    return select_less(x, lowest, broadcast(0.0f), mul(p, power));
}

// 0.5 x (1 + erf(x / sqrt 2)) with a relative error below 1e-6 everywhere, the far negative side included,
// where 1 + erf would cancel: with a = |x| and Q the upper tail of the normal distribution, it is max(x, 0) -
// a Q(a). Q(a) = exp(-a^2 / 2) t P(t), t = 1 / (1 + 0.38 a); P is a least-maximum fit of 0.5 erfcx(a / sqrt
// 2) / t on [0, 14] (relative error 9e-9). The rounding error of a^2 is put back in, since exp would magnify
// it.
NEOX_INLINE F32x16 gelu_erf(F32x16 x) {
    const F32x16 a = abs(x);
    const F32x16 square = mul(a, a);
    const F32x16 rest = fma(a, a, sub(broadcast(0.0f), square));
    const F32x16 t = div(broadcast(1.0f), fma(a, broadcast(0.38f), broadcast(1.0f)));
    F32x16 p = broadcast(0.0242871288f);
    p = fma(p, t, broadcast(-0.149222687f));
    p = fma(p, t, broadcast(0.368589431f));
    p = fma(p, t, broadcast(-0.434509337f));
    p = fma(p, t, broadcast(0.210226774f));
    p = fma(p, t, broadcast(-0.055928681f));
    p = fma(p, t, broadcast(0.106475994f));
    p = fma(p, t, broadcast(0.126635015f));
    p = fma(p, t, broadcast(0.151857719f));
    p = fma(p, t, broadcast(0.151588619f));
    const F32x16 density = exp(mul(square, broadcast(-0.5f)));
    const F32x16 correction = fnma(rest, broadcast(0.5f), broadcast(1.0f));
    const F32x16 tail = mul(mul(mul(density, correction), t), p);
    const F32x16 positive = max(broadcast(0.0f), x);  // in this order, so that a NaN stays a NaN
    const F32x16 near = fnma(a, tail, positive);
    return select_less(a, broadcast(14.0f), near, positive);  // beyond, the square may have overflowed
}

// 0.5 x (1 + tanh u) = x / (1 + exp(-2 u)), u = sqrt(2 / pi) (x + 0.044715 x^3).
NEOX_INLINE F32x16 gelu_tanh(F32x16 x) {
    const F32x16 cubic = fma(mul(mul(x, x), x), broadcast(0.044715f), x);
    const F32x16 e = exp(mul(cubic, broadcast(-1.59576912f)));  // -2 sqrt(2 / pi)
    // Below -16 the result is 0 to within 1e-36, while x / exp(88) would grow again.
    return div(max(broadcast(-16.0f), x), add(broadcast(1.0f), e));
}

}  // namespace neox::NEOX_ISA
