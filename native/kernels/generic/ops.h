// Everything of the table but the products: rows in, rows out. Included inside a target region; see
// README.md.
#pragma once

#include "kernels/generic/math.h"

namespace neox::NEOX_ISA {

// The tail of a row: n values (fewer than 16), zeros behind them.
NEOX_INLINE F32x16 load_first(const float* p, std::int64_t n) {
    float lanes[16] = {};
    for (std::int64_t i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
}
NEOX_INLINE void store_first(float* p, std::int64_t n, F32x16 a) {
    float lanes[16];
    store(lanes, a);
    for (std::int64_t i = 0; i < n; ++i) p[i] = lanes[i];
}
NEOX_INLINE F32x16 load_f16_first(const std::uint16_t* p, std::int64_t n) {
    std::uint16_t lanes[16] = {};
    for (std::int64_t i = 0; i < n; ++i) lanes[i] = p[i];
    return load_f16(lanes);
}

// Mean and variance are summed in f64; the rest is f32.
void layer_norm(const float* x, const float* weight, const float* bias, float eps, std::int64_t n, float* y) {
    const std::int64_t whole = n / 16 * 16, rest = n - whole;
    F64x16 sum = zero_f64();
    for (std::int64_t i = 0; i < whole; i += 16) sum = add(sum, load(x + i));
    if (rest > 0) sum = add(sum, load_first(x + whole, rest));
    const float mean = static_cast<float>(reduce_add(sum) / static_cast<double>(n));
    const F32x16 means = broadcast(mean);
    F64x16 squares = zero_f64();
    for (std::int64_t i = 0; i < whole; i += 16) squares = add_squares(squares, sub(load(x + i), means));
    if (rest > 0) {
        float centred[16] = {};
        for (std::int64_t i = 0; i < rest; ++i) centred[i] = x[whole + i] - mean;
        squares = add_squares(squares, load(centred));
    }
    const double variance = reduce_add(squares) / static_cast<double>(n);
    const F32x16 factor = broadcast(static_cast<float>(1.0 / ::sqrt(variance + static_cast<double>(eps))));
    for (std::int64_t i = 0; i < whole; i += 16)
        store(y + i, fma(mul(sub(load(x + i), means), factor), load(weight + i), load(bias + i)));
    if (rest > 0) {
        const F32x16 scaled = mul(sub(load_first(x + whole, rest), means), factor);
        store_first(y + whole, rest,
                    fma(scaled, load_first(weight + whole, rest), load_first(bias + whole, rest)));
    }
}

// Products rounded one by one, as the reference model computes them.
void rope(float* head, const float* cos, const float* sin, int n_rot) {
    const int half = n_rot / 2;
    int j = 0;
    for (; j + 16 <= half; j += 16) {
        const F32x16 a = load(head + j), b = load(head + half + j), c = load(cos + j), s = load(sin + j);
        store(head + j, sub(mul(a, c), mul(b, s)));
        store(head + half + j, add(mul(b, c), mul(a, s)));
    }
    for (; j < half; ++j) {
        const float a = head[j], b = head[half + j];
        head[j] = a * cos[j] - b * sin[j];
        head[half + j] = b * cos[j] + a * sin[j];
    }
}

template <F32x16 (*activation)(F32x16)>
NEOX_INLINE void bias_activation(float* x, const float* bias, std::int64_t n) {
    const std::int64_t whole = n / 16 * 16, rest = n - whole;
    for (std::int64_t i = 0; i < whole; i += 16)
        store(x + i, activation(bias ? add(load(x + i), load(bias + i)) : load(x + i)));
    if (rest == 0) return;
    F32x16 last = load_first(x + whole, rest);
    if (bias) last = add(last, load_first(bias + whole, rest));
    store_first(x + whole, rest, activation(last));
}
void bias_gelu_erf(float* x, const float* bias, std::int64_t n) { bias_activation<gelu_erf>(x, bias, n); }
void bias_gelu_tanh(float* x, const float* bias, std::int64_t n) { bias_activation<gelu_tanh>(x, bias, n); }

void bias_add(float* y, const float* bias, const float* residual, std::int64_t n) {
    const std::int64_t whole = n / 16 * 16;
    for (std::int64_t i = 0; i < whole; i += 16) {
        F32x16 value = load(y + i);
        if (bias) value = add(value, load(bias + i));
        if (residual) value = add(value, load(residual + i));
        store(y + i, value);
    }
    for (std::int64_t i = whole; i < n; ++i) {
        if (bias) y[i] += bias[i];
        if (residual) y[i] += residual[i];
    }
}

void argmax(const float* x, std::int64_t n, std::int32_t* index, float* value, bool* nan) {
    const std::int64_t whole = n / 16 * 16;
    F32x16 largest = broadcast(x[0]);
    bool found_nan = false;
    for (std::int64_t i = 0; i < whole; i += 16) {
        const F32x16 lanes = load(x + i);
        found_nan |= has_nan(lanes);
        largest = max(lanes, largest);
    }
    float best = reduce_max(largest);
    for (std::int64_t i = whole; i < n; ++i) {
        found_nan |= x[i] != x[i];
        best = x[i] > best ? x[i] : best;
    }
    *nan = found_nan;
    *index = 0;
    *value = x[0];
    const F32x16 bests = broadcast(best);
    for (std::int64_t i = 0; i < whole; i += 16) {
        if (equal_mask(load(x + i), bests) == 0) continue;
        while (!(x[i] == best)) ++i;
        *index = static_cast<std::int32_t>(i);
        *value = x[i];
        return;
    }
    for (std::int64_t i = whole; i < n; ++i) {
        if (!(x[i] == best)) continue;
        *index = static_cast<std::int32_t>(i);
        *value = x[i];
        return;
    }
}

double log_sum_exp(const float* x, std::int64_t n, float max_value) {
    const std::int64_t whole = n / 16 * 16, rest = n - whole;
    const F32x16 offset = broadcast(max_value);
    F64x16 sum = zero_f64();
    for (std::int64_t i = 0; i < whole; i += 16) sum = add(sum, exp(sub(load(x + i), offset)));
    if (rest > 0) {
        float powers[16];
        store(powers, exp(sub(load_first(x + whole, rest), offset)));
        sum = add(sum, load_first(powers, rest));
    }
    return static_cast<double>(max_value) + ::log(reduce_add(sum));
}

}  // namespace neox::NEOX_ISA
