// The GPU as a Device.
#pragma once

#include "model/backend.h"

namespace neox::cuda {

// The first GPU that the driver offers. It is there on any machine: that there is no GPU, or no driver that will do, is what
// its functions and its probe() say, in CUDA's own words where those are what failed.
const Device& cuda_device();

// See Device::create_backend (backend.cpp).
void create_backend(const void* weights, const BackendOptions& options, Backend& backend);

}  // namespace neox::cuda
