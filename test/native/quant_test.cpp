// The block formats: hand-computed values, rounding rules, 16-bit conversions.
#include "quant/quant.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/half.h"
#include "check.h"
#include "quant/blocks.h"
#include "tensor/dtype.h"

namespace {

using namespace neox;

template <class Block> Block quantized(DType type, const std::vector<float>& x) {
    Block block;
    CHECK_EQ(row_bytes(type, x.size()), sizeof block);
    quantize_row(type, x.data(), static_cast<std::int64_t>(x.size()), reinterpret_cast<std::byte*>(&block));
    return block;
}

template <class Block> std::vector<float> dequantized(DType type, const Block& block) {
    std::vector<float> x(32);
    dequantize_row(type, reinterpret_cast<const std::byte*>(&block), 32, x.data());
    return x;
}

TEST(f16_conversion_is_exact_both_ways) {
    for (std::uint32_t h = 0; h < 65536; ++h) {
        const auto bits = static_cast<std::uint16_t>(h);
        const float f = f16_to_f32(bits);
        if (std::isnan(f))
            CHECK(std::isnan(f16_to_f32(f32_to_f16(f))));
        else
            CHECK_EQ(f32_to_f16(f), bits);
    }
    CHECK_EQ(f16_to_f32(0x3C00), 1.0f);
    CHECK_EQ(f16_to_f32(0x0001), 0x1p-24f);
    CHECK_EQ(f16_to_f32(0x7BFF), 65504.0f);
}

TEST(f16_rounds_to_nearest_even) {
    for (std::uint32_t h = 0; h < 0x7BFF; ++h) {
        const float low = f16_to_f32(static_cast<std::uint16_t>(h)),
                    high = f16_to_f32(static_cast<std::uint16_t>(h + 1));
        const float middle = 0.5f * (low + high);
        CHECK_EQ(f32_to_f16(middle), h + (h & 1));
        CHECK_EQ(f32_to_f16(std::nextafter(middle, 0.0f)), h);
        CHECK_EQ(f32_to_f16(std::nextafter(middle, 1e9f)), h + 1);
    }
    CHECK_EQ(f32_to_f16(std::nextafter(65520.0f, 0.0f)), 0x7BFF);
    CHECK_EQ(f32_to_f16(65520.0f), 0x7C00);
    CHECK_EQ(f32_to_f16(-1e30f), 0xFC00);
    CHECK_EQ(f32_to_f16(0x1p-25f), 0);
    CHECK_EQ(f32_to_f16(-0.0f), 0x8000);
}

TEST(bf16_rounds_to_nearest_even_and_keeps_nan) {
    CHECK_EQ(f32_to_bf16(1.0f), 0x3F80);
    CHECK_EQ(f32_to_bf16(std::bit_cast<float>(0x3F808000u)), 0x3F80);
    CHECK_EQ(f32_to_bf16(std::bit_cast<float>(0x3F818000u)), 0x3F82);
    CHECK_EQ(f32_to_bf16(std::bit_cast<float>(0x3F808001u)), 0x3F81);
    CHECK_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7F80);
    CHECK_EQ(f32_to_bf16(std::bit_cast<float>(0x7F800001u)), 0x7FC0);
    CHECK_EQ(bf16_to_f32(0xC000), -2.0f);
}

TEST(q8_0_scale_and_rounding) {
    std::vector<float> x(32, 0.0f);
    x[0] = -127.0f, x[1] = 0.5f, x[2] = -0.5f, x[3] = 1.5f, x[4] = 2.49f;
    const auto block = quantized<BlockQ8_0>(DType::Q8_0, x);
    CHECK_EQ(block.d, 0x3C00);
    const int expected[] = {-127, 1, -1, 2, 2, 0};  // ties away from zero
    for (int j = 0; j < 6; ++j) CHECK_EQ(int{block.qs[j]}, expected[j]);
    const std::vector<float> back = dequantized(DType::Q8_0, block);
    CHECK_EQ(back[0], -127.0f);
}

TEST(q8_0_dequantizes_exactly) {
    BlockQ8_0 block{f32_to_f16(0.25f), {}};
    for (int j = 0; j < 32; ++j) block.qs[j] = static_cast<std::int8_t>(j * 8 - 128);
    const std::vector<float> x = dequantized(DType::Q8_0, block);
    for (int j = 0; j < 32; ++j)
        CHECK_EQ(x[static_cast<std::size_t>(j)], 0.25f * static_cast<float>(j * 8 - 128));
}

TEST(q4_0_dequantizes_exactly) {
    BlockQ4_0 block{f32_to_f16(0.5f), {}};
    for (int j = 0; j < 16; ++j) block.qs[j] = static_cast<std::uint8_t>(j | (15 - j) << 4);
    const std::vector<float> x = dequantized(DType::Q4_0, block);
    for (int j = 0; j < 16; ++j) {
        CHECK_EQ(x[static_cast<std::size_t>(j)], 0.5f * static_cast<float>(j - 8));
        CHECK_EQ(x[static_cast<std::size_t>(j + 16)], 0.5f * static_cast<float>(7 - j));
    }
}

TEST(quantizing_zeros_and_tiny_values_gives_zeros) {
    for (const float tiny : {0.0f, 1e-45f, 1e-38f, -1e-40f}) {
        const auto block = quantized<BlockQ8_0>(DType::Q8_0, std::vector<float>(32, tiny));
        for (const float v : dequantized(DType::Q8_0, block)) CHECK_EQ(v, 0.0f);
    }
}

TEST(quantizing_refuses_what_no_scale_represents) {
    std::vector<float> x(32, 1.0f);
    std::vector<std::byte> bytes(64);
    for (const float bad :
         {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 65536.0f}) {
        x[31] = bad;
        CHECK_THROWS(quantize_row(DType::Q8_0, x.data(), 32, bytes.data()), format_value);
    }
}

TEST(rows_must_be_whole_blocks_of_a_known_type) {
    std::vector<float> x(48);
    std::vector<std::byte> bytes(200);
    CHECK_THROWS(quantize_row(DType::Q8_0, x.data(), 48, bytes.data()), format_shape);
    CHECK_THROWS(dequantize_row(DType::Q4_0, bytes.data(), 48, x.data()), format_shape);
    CHECK_THROWS(row_bytes(DType::Q4_0, 48), format_shape);
    CHECK_THROWS(row_bytes(DType::F32, std::uint64_t{1} << 63), format_overflow);
    CHECK_THROWS(dtype_info(static_cast<DType>(99)), unsupported);
    CHECK_THROWS(dequantize_row(DType::I32, bytes.data(), 4, x.data()), unsupported);
    CHECK_THROWS(quantize_row(DType::Q4_0, x.data(), 32, bytes.data()), unsupported);
    CHECK(dtype_from_name("q4_0") == DType::Q4_0);
    CHECK(!dtype_from_name("q9_9"));
    CHECK_EQ(row_bytes(DType::Q6_K, 256), 210);
}

TEST(quantized_values_stay_near) {
    std::vector<float> x(256), back(256);
    std::uint32_t state = 1;
    for (float& v : x)
        v = static_cast<float>(static_cast<std::int32_t>(state = state * 1664525u + 1013904223u)) * 0x1p-31f;
    for (const DType type : {DType::F32, DType::F16, DType::BF16, DType::Q8_0}) {
        std::vector<std::byte> once(row_bytes(type, 256)), twice(once.size());
        quantize_row(type, x.data(), 256, once.data());
        dequantize_row(type, once.data(), 256, back.data());
        const float bound = type == DType::Q8_0 ? 0.005f : 0.004f;
        for (std::size_t i = 0; i < x.size(); ++i) CHECK_NEAR(back[i], x[i], bound);
        if (type == DType::Q8_0) continue;
        quantize_row(type, back.data(), 256, twice.data());
        CHECK(once == twice);
    }
}

}  // namespace
