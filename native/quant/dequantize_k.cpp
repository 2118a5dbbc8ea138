// The K types: 256 elements in sub-blocks whose scales are integers.
#include "base/half.h"
#include "quant/dequantize.h"
#include "quant/k_scales.h"

namespace neox {

void dequantize_block(const BlockQ2_K& block, float* x) {
    const float d = f16_to_f32(block.d), dmin = f16_to_f32(block.dmin);
    for (int s = 0; s < 16; ++s) {
        const float scale = d * static_cast<float>(block.scales[s] & 15);
        const float min = dmin * static_cast<float>(block.scales[s] >> 4);
        const std::uint8_t* qs = block.qs + 32 * (s / 8) + 16 * (s % 2);
        const int shift = 2 * (s / 2 % 4);
        for (int l = 0; l < 16; ++l) x[16 * s + l] = scale * static_cast<float>(qs[l] >> shift & 3) - min;
    }
}

void dequantize_block(const BlockQ3_K& block, float* x) {
    const float d = f16_to_f32(block.d);
    std::uint8_t scales[16];
    unpack_q3_scales(block.scales, scales);
    for (int s = 0; s < 16; ++s) {
        const float scale = d * static_cast<float>(scales[s] - 32);
        const std::uint8_t* qs = block.qs + 32 * (s / 8) + 16 * (s % 2);
        const std::uint8_t* high = block.hmask + 16 * (s % 2);
        const int shift = 2 * (s / 2 % 4), bit = s / 2;
        for (int l = 0; l < 16; ++l) {
            const int q = (qs[l] >> shift & 3) + 4 * (high[l] >> bit & 1) - 4;
            x[16 * s + l] = scale * static_cast<float>(q);
        }
    }
}

void dequantize_block(const BlockQ4_K& block, float* x) {
    const float d = f16_to_f32(block.d), dmin = f16_to_f32(block.dmin);
    std::uint8_t scales[8], mins[8];
    unpack_q4_scales(block.scales, scales, mins);
    for (int s = 0; s < 8; ++s) {
        const float scale = d * static_cast<float>(scales[s]), min = dmin * static_cast<float>(mins[s]);
        const std::uint8_t* qs = block.qs + 32 * (s / 2);
        const int shift = 4 * (s % 2);
        for (int l = 0; l < 32; ++l) x[32 * s + l] = scale * static_cast<float>(qs[l] >> shift & 15) - min;
    }
}

void dequantize_block(const BlockQ5_K& block, float* x) {
    const float d = f16_to_f32(block.d), dmin = f16_to_f32(block.dmin);
    std::uint8_t scales[8], mins[8];
    unpack_q4_scales(block.scales, scales, mins);
    for (int s = 0; s < 8; ++s) {
        const float scale = d * static_cast<float>(scales[s]), min = dmin * static_cast<float>(mins[s]);
        const std::uint8_t* qs = block.qs + 32 * (s / 2);
        const int shift = 4 * (s % 2);
        for (int l = 0; l < 32; ++l) {
            const int q = (qs[l] >> shift & 15) | (block.qh[l] >> s & 1) << 4;
            x[32 * s + l] = scale * static_cast<float>(q) - min;
        }
    }
}

void dequantize_block(const BlockQ6_K& block, float* x) {
    const float d = f16_to_f32(block.d);
    for (int s = 0; s < 16; ++s) {
        const float scale = d * static_cast<float>(block.scales[s]);
        const int half = s / 8, part = s / 2 % 4, l0 = 16 * (s % 2);
        const std::uint8_t* low = block.ql + 64 * half + 32 * (part % 2) + l0;
        const std::uint8_t* high = block.qh + 32 * half + l0;
        const int low_shift = 4 * (part / 2), high_shift = 2 * part;
        for (int l = 0; l < 16; ++l) {
            const int q = (low[l] >> low_shift & 15) | (high[l] >> high_shift & 3) << 4;
            x[16 * s + l] = scale * static_cast<float>(q - 32);
        }
    }
}

}  // namespace neox
