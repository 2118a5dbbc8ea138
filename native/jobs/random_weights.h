// Random weights of a sane scale: each value is a function of the key and its place, so any slice can be made
// by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tensor/tensor.h"

namespace neox {

std::uint64_t random_key(std::uint64_t seed, const std::string& name);

// Rows [row_begin, row_begin + n_rows) of a tensor of any type of weights (else ERR_NEOX_UNSUPPORTED), mean 0, standard deviation about 0.02; 1 for the weights of a norm. Quantized blocks
// are drawn as such, not rounded.
void make_random_rows(const Tensor& tensor, std::uint64_t key, std::uint64_t row_begin, std::uint64_t n_rows,
                      std::byte* dst);

}  // namespace neox
