// The activations of cuda/epilogue.h, for kernels.
#pragma once

#include "cuda/device.cuh"
#include "cuda/epilogue.h"

namespace neox::cuda {

// 0.5 x (1 + erf(x / sqrt 2)).
NEOX_DEVICE float gelu_erf(float x) { return 0.5f * x * (1.0f + erff_(x * 0.70710678f)); }

// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
NEOX_DEVICE float gelu_tanh(float x) {
    const float cubic = fmaf_(0.044715f * x * x, x, x);
    return 0.5f * x * (1.0f + tanhf_(0.79788456f * cubic));
}

template <Activation activation> NEOX_DEVICE float activate(float x) {
    if constexpr (activation == Activation::gelu_erf) return gelu_erf(x);
    if constexpr (activation == Activation::gelu_tanh) return gelu_tanh(x);
    return x;
}

}  // namespace neox::cuda
