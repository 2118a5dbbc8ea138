// Four numbers that are loaded and stored together.
#pragma once

#include "cuda/device.cuh"

namespace neox::cuda {

struct Quad {
    float v[4];
};

NEOX_DEVICE Quad quad_of(const Words4& words) {
    return {{float_of_bits(words.x[0]), float_of_bits(words.x[1]), float_of_bits(words.x[2]),
             float_of_bits(words.x[3])}};
}
NEOX_DEVICE Quad load_quad(const float* global) { return quad_of(load_16_cached(global)); }
NEOX_DEVICE Quad load_shared_quad(const float* shared) { return quad_of(load_16_shared(shared)); }
NEOX_DEVICE void store_quad(float* to, const Quad& q) {
    store_16(to,
             {{bits_of_float(q.v[0]), bits_of_float(q.v[1]), bits_of_float(q.v[2]), bits_of_float(q.v[3])}});
}
// The first n of them, and zeros where they end; n may be 0 or less.
NEOX_DEVICE Quad load_first(const float* global, int n) {
    if (n >= 4) return load_quad(global);
    Quad q{};
    NEOX_UNROLL
    for (int i = 0; i < 3; ++i)
        if (i < n) q.v[i] = global[i];
    return q;
}

}  // namespace neox::cuda
