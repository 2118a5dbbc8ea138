// What the products of matrices do with their results before they store them.
#pragma once

#include <cstdint>

namespace neox::cuda {

enum class Activation : std::int32_t { none, gelu_erf, gelu_tanh };

// y = activation(product + bias) + residual. The pointers are the device's; each may be nullptr.
struct Epilogue {
    const float* bias = nullptr;  // [n_rows of the matrix], aligned to 16 bytes
    Activation activation = Activation::none;
    const float* residual = nullptr;   // [n_tokens][residual_stride], aligned to 16 bytes; may be y itself
    std::int64_t residual_stride = 0;  // a multiple of 4
};

}  // namespace neox::cuda
