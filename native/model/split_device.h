// One device made of two, which share the layers of a model.
#pragma once

#include <cstdint>

#include "model/backend.h"

namespace neox {

// The embedding and layers [0, n_first) run on `first`, the other layers and the head on `second`; the residual stream goes
// through the host's memory between them. 0 < n_first < n_layer of the models that it is used for (ERR_NEOX_INTERNAL). A
// block of keys and values outside is first's bytes, then second's. Kept for the life of the process, one for each three
// arguments. Any thread.
const Device& split_device(const Device& first, const Device& second, std::int32_t n_first);

// Whether a tensor belongs to the first of two devices.
constexpr bool is_before_split(Role role, std::int32_t layer, std::int32_t n_first) {
    return role == Role::token_embd || (layer >= 0 && layer < n_first);
}

// How many layers of a model of n_layer do not run on the CPU: they are the last ones.
std::int32_t gpu_layers(const Device& device, std::int32_t n_layer);

// Bytes of these weights that lie in the host's memory.
std::uint64_t host_weights_bytes(const Device& device, const void* weights);

}  // namespace neox
