// Blocks to f32: x receives the block's elements. Products and sums are rounded one by one, in the order in
// which gguf-py computes them.
#pragma once

#include "quant/blocks.h"

namespace neox {

void dequantize_block(const BlockQ4_0& block, float* x);
void dequantize_block(const BlockQ4_1& block, float* x);
void dequantize_block(const BlockQ5_0& block, float* x);
void dequantize_block(const BlockQ5_1& block, float* x);
void dequantize_block(const BlockQ8_0& block, float* x);
void dequantize_block(const BlockIQ4_NL& block, float* x);
void dequantize_block(const BlockQ2_K& block, float* x);
void dequantize_block(const BlockQ3_K& block, float* x);
void dequantize_block(const BlockQ4_K& block, float* x);
void dequantize_block(const BlockQ5_K& block, float* x);
void dequantize_block(const BlockQ6_K& block, float* x);

}  // namespace neox
