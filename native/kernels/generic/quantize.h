// Activations to integers, one scale per 32 columns. Included inside a target region; see README.md.
#pragma once

#include "kernels/generic/quantize_block.h"

namespace neox::NEOX_ISA {

// value = 128 * high + low with low in [-64, 63]; the limit 127 * 128 keeps high within [-127, 127].
NEOX_INLINE void store_planes(I32x16 value, std::int8_t* high, std::int8_t* low) {
    const I32x16 low_part = sub(bit_and(add(value, broadcast(64)), broadcast(127)), broadcast(64));
    store_i8(low, low_part);
    store_i8(high, shift_right_signed<7>(sub(value, low_part)));
}

void quantize_q15(const float* x, std::int64_t n, std::int8_t* high, std::int8_t* low, float* scale,
                  std::int32_t* sum) {
    for (std::int64_t block = 0; block < n / 32; ++block, x += 32, high += 32, low += 32) {
        const QuantizedBlock result = quantize_block<127 * 128>(x);
        store_planes(result.low, high, low);
        store_planes(result.high, high + 16, low + 16);
        scale[block] = result.scale;
        sum[2 * block] = result.sum[0];
        sum[2 * block + 1] = result.sum[1];
    }
}

}  // namespace neox::NEOX_ISA
