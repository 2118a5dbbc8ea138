// The types of one scale per 32 elements.
#include "base/half.h"
#include "quant/dequantize.h"

namespace neox {
namespace {

// Element j + 16 h of a block of nibbles is nibble h of byte j.
template <class Value> void for_nibbles(const std::uint8_t* qs, float* x, Value value) {
    for (int j = 0; j < 16; ++j) {
        x[j] = value(qs[j] & 15, j);
        x[j + 16] = value(qs[j] >> 4, j + 16);
    }
}

std::uint32_t read_u32(const std::uint8_t* p) {
    return p[0] | static_cast<std::uint32_t>(p[1]) << 8 | static_cast<std::uint32_t>(p[2]) << 16 |
           static_cast<std::uint32_t>(p[3]) << 24;
}

int fifth_bit(std::uint32_t high, int i) { return static_cast<int>((high >> i & 1) << 4); }

}  // namespace

void dequantize_block(const BlockQ4_0& block, float* x) {
    const float d = f16_to_f32(block.d);
    for_nibbles(block.qs, x, [d](int q, int) { return d * static_cast<float>(q - 8); });
}

void dequantize_block(const BlockQ4_1& block, float* x) {
    const float d = f16_to_f32(block.d), m = f16_to_f32(block.m);
    for_nibbles(block.qs, x, [d, m](int q, int) { return d * static_cast<float>(q) + m; });
}

void dequantize_block(const BlockQ5_0& block, float* x) {
    const float d = f16_to_f32(block.d);
    const std::uint32_t high = read_u32(block.qh);
    for_nibbles(block.qs, x,
                [d, high](int q, int i) { return d * static_cast<float>((q | fifth_bit(high, i)) - 16); });
}

void dequantize_block(const BlockQ5_1& block, float* x) {
    const float d = f16_to_f32(block.d), m = f16_to_f32(block.m);
    const std::uint32_t high = read_u32(block.qh);
    for_nibbles(block.qs, x,
                [d, m, high](int q, int i) { return d * static_cast<float>(q | fifth_bit(high, i)) + m; });
}

void dequantize_block(const BlockQ8_0& block, float* x) {
    const float d = f16_to_f32(block.d);
    for (int j = 0; j < 32; ++j) x[j] = d * static_cast<float>(block.qs[j]);
}

void dequantize_block(const BlockIQ4_NL& block, float* x) {
    const float d = f16_to_f32(block.d);
    for_nibbles(block.qs, x, [d](int q, int) { return d * static_cast<float>(kIq4Values[q]); });
}

}  // namespace neox
