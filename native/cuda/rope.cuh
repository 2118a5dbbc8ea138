// The rotary embedding inside kernels.
#pragma once

#include "cuda/device.cuh"

namespace neox::cuda {

// Dimension d of the head x as it is after the rotation: halves of the first n_rot dimensions turn against each other, products
// rounded one by one as on the CPU. `row` is a row of the rotary table, cosines before sines.
NEOX_DEVICE float rotated(const float* x, int d, const float* row, int n_rot) {
    if (d >= n_rot) return x[d];
    const int half = n_rot / 2;
    if (d < half) return x[d] * row[d] - x[d + half] * row[d + half];
    return x[d] * row[d - half] + x[d - half] * row[d];
}

}  // namespace neox::cuda
