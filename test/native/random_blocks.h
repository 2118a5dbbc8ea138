// Rows of every weight type, drawn as blocks: every code and every small scale that a file can hold, with values
// of about a wanted size. For tests and benchmarks that need weights and no quantizer.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/half.h"
#include "quant/quant.h"
#include "tensor/dtype.h"

namespace random_blocks {

using neox::DType;

// A small generator; seeds make cases reproducible.
struct Random {
    std::uint64_t state;
    std::uint32_t next() {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return static_cast<std::uint32_t>(state >> 33);
    }
    float uniform() { return static_cast<float>(next()) * 0x1p-30f - 1.0f; }  // -1 to 1
};

// Where a block's fields lie, in bytes (quant/blocks.h).
struct Block {
    DType dtype;
    int d, min;  // f16; min: -1 when there is none
    int codes_begin, codes_end;
    float spread;     // standard deviation of the values at d = 1
    float min_per_d;  // the min beside d = 1 that makes the mean zero
};
inline constexpr Block kBlocks[] = {
    {DType::Q8_0, 0, -1, 2, 34, 74, 0},       {DType::Q4_0, 0, -1, 2, 18, 4.6f, 0},
    {DType::Q4_1, 0, 2, 4, 20, 4.6f, -7.5f},  {DType::Q5_0, 0, -1, 2, 22, 9.2f, 0},
    {DType::Q5_1, 0, 2, 4, 24, 9.2f, -15.5f}, {DType::IQ4_NL, 0, -1, 2, 18, 71, 0},
    {DType::Q2_K, 80, 82, 16, 80, 13, 1.5f},  {DType::Q3_K, 108, -1, 0, 96, 43, 0},
    {DType::Q4_K, 0, 2, 16, 144, 260, 7.5f},  {DType::Q5_K, 0, 2, 16, 176, 520, 15.5f},
    {DType::Q6_K, 208, -1, 0, 192, 1370, 0},
};
inline const Block* find(DType dtype) {
    for (const Block& block : kBlocks)
        if (block.dtype == dtype) return &block;
    return nullptr;
}

inline void put_f16(std::byte* at, float value) {
    const std::uint16_t bits = neox::f32_to_f16(value);
    std::memcpy(at, &bits, 2);
}

// [n_rows] rows of n_cols columns in GGUF layout. size: about the standard deviation.
inline std::vector<std::byte> rows(DType dtype, std::int64_t n_rows, std::int64_t n_cols, float size,
                                   std::uint64_t seed) {
    Random random{seed * 77 + 1};
    const std::size_t stride = neox::row_bytes(dtype, static_cast<std::uint64_t>(n_cols));
    std::vector<std::byte> bytes(stride * static_cast<std::size_t>(n_rows));
    const Block* block = find(dtype);
    if (!block) {
        std::vector<float> values(static_cast<std::size_t>(n_cols));
        for (std::int64_t row = 0; row < n_rows; ++row) {
            for (float& value : values) value = 1.7320508f * size * random.uniform();
            neox::quantize_row(dtype, values.data(), n_cols,
                               bytes.data() + static_cast<std::size_t>(row) * stride);
        }
        return bytes;
    }
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next() >> 16);
    const auto block_bytes = static_cast<std::size_t>(neox::dtype_info(dtype).block_bytes);
    for (std::size_t at = 0; at < bytes.size(); at += block_bytes) {
        const float sign = random.uniform() < 0 ? -1.0f : 1.0f;
        const float d = sign * size / block->spread * (1.0f + 0.5f * random.uniform());
        put_f16(bytes.data() + at + block->d, d);
        if (block->min >= 0) put_f16(bytes.data() + at + block->min, block->min_per_d * d);
    }
    return bytes;
}

// Values of the same rows with every code 0: what a minimum adds to each weight; zeros in types without one.
inline std::vector<float> minima(DType dtype, std::vector<std::byte> bytes, std::int64_t n_rows,
                                 std::int64_t n_cols) {
    std::vector<float> values(static_cast<std::size_t>(n_rows * n_cols));
    const Block* block = find(dtype);
    if (!block || block->min < 0) return values;
    const auto block_bytes = static_cast<std::size_t>(neox::dtype_info(dtype).block_bytes);
    for (std::size_t at = 0; at < bytes.size(); at += block_bytes)
        std::memset(bytes.data() + at + block->codes_begin, 0,
                    static_cast<std::size_t>(block->codes_end - block->codes_begin));
    neox::dequantize_row(dtype, bytes.data(), n_rows * n_cols, values.data());
    return values;
}

}  // namespace random_blocks
