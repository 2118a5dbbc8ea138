#include "quant/legacy.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/half.h"
#include "quant/blocks.h"

namespace neox {
namespace {

template <class Block> void store(const Block& block, std::byte* dst, std::int64_t index) {
    std::memcpy(dst + index * static_cast<std::int64_t>(sizeof(Block)), &block, sizeof(Block));
}

void check_finite(const float* x, int n, std::int64_t block) {
    // x - x is 0 for a finite x, else NaN, and so is the sum: one test instead of one for each element.
    float sum = 0.0f;
    for (int j = 0; j < n; ++j) sum += x[j] - x[j];
    if (sum == 0.0f) return;
    for (int j = 0; j < n; ++j)
        if (!std::isfinite(x[j]))
            fail(ErrorCode::format_value, "Element ", block * n + j, " of a row is ", x[j],
                 " and cannot be quantized.");
}

// 1 / d, or 0 where d is too small to have an inverse in float: such a block's scale is 0 in f16 anyway.
float inverse(float d) {
    const float id = d == 0.0f ? 0.0f : 1.0f / d;
    return std::isfinite(id) ? id : 0.0f;
}

}  // namespace

// Scale: the largest magnitude is 127. Rounding: to nearest, ties away from zero.
void quantize_q8_0(const float* src, std::int64_t n, std::byte* dst) {
    for (std::int64_t b = 0; b < n / kSmallBlockLength; ++b, src += kSmallBlockLength) {
        check_finite(src, kSmallBlockLength, b);
        float largest = 0.0f;
        for (int j = 0; j < kSmallBlockLength; ++j) largest = std::max(largest, std::fabs(src[j]));
        const float d = largest / 127.0f;
        const float id = inverse(d);
        BlockQ8_0 block;
        block.d = f32_to_f16(d);
        for (int j = 0; j < kSmallBlockLength; ++j) {
            // A subnormal d can make the quotient exceed 127.
            const float q = std::clamp(src[j] * id, -128.0f, 127.0f);
            const int whole = static_cast<int>(q);
            const float rest = q - static_cast<float>(whole);  // exact
            block.qs[j] = static_cast<std::int8_t>(whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0));
        }
        store(block, dst, b);
    }
}

// Scale: the first element of largest magnitude, with its sign, is -8, so that the wider side of the range
// serves it. Rounding: x / d + 8.5 cut to an integer, at most 15.
void quantize_q4_0(const float* src, std::int64_t n, std::byte* dst) {
    constexpr int kHalf = kSmallBlockLength / 2;
    const auto quantum = [](float x, float id) {
        return static_cast<std::uint8_t>(
            std::clamp(static_cast<int>(std::clamp(x * id + 8.5f, 0.0f, 16.0f)), 0, 15));
    };
    for (std::int64_t b = 0; b < n / kSmallBlockLength; ++b, src += kSmallBlockLength) {
        check_finite(src, kSmallBlockLength, b);
        float largest = src[0];
        for (int j = 1; j < kSmallBlockLength; ++j)
            if (std::fabs(src[j]) > std::fabs(largest)) largest = src[j];
        const float d = largest / -8.0f;
        const float id = inverse(d);
        BlockQ4_0 block;
        block.d = f32_to_f16(d);
        for (int j = 0; j < kHalf; ++j) {
            const int low = quantum(src[j], id), high = quantum(src[j + kHalf], id);
            block.qs[j] = static_cast<std::uint8_t>(low | high << 4);
        }
        store(block, dst, b);
    }
}

}  // namespace neox
