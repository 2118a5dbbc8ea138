// What tests may ask of the emulated device beside cuda/runtime.h.
#pragma once

#include <cstdint>

namespace neox::cuda::emulation {

// The memory that it has, from now on; 0: as much as at first, 8 GiB.
void set_memory(std::uint64_t total_bytes);
// Another order of blocks and warps for the launches from now on.
void set_seed(std::uint64_t seed);
// Kernels that have run in this process.
std::uint64_t n_launches();

}  // namespace neox::cuda::emulation
