#include "jobs/random_weights.h"

#include <array>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/half.h"
#include "quant/blocks.h"
#include "quant/k_scales.h"

namespace neox {
namespace {

constexpr float kDeviation = 0.02f;

// The output function of splitmix64: a bijection that scatters neighbouring counters.
std::uint64_t mix(std::uint64_t x) {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

// The sum of two uniform numbers of n values has the deviation sqrt((n^2 - 1) / 6).
float triangle_deviation(float n) { return std::sqrt((n * n - 1.0f) / 6.0f); }

// 16 scales between 0.75 and 1.25 of the one that gives kDeviation.
std::array<std::uint16_t, 16> scales(float unit_deviation) {
    std::array<std::uint16_t, 16> table;
    for (int i = 0; i < 16; ++i)
        table[static_cast<std::size_t>(i)] =
            f32_to_f16(kDeviation / unit_deviation * (0.75f + 0.5f * static_cast<float>(i) / 15.0f));
    return table;
}

// Each nibble is the sum of two 3-bit numbers and 1: 1 to 15, symmetric about the 8 that stands for zero.
void make_q4_0(std::uint64_t key, std::uint64_t first_block, std::uint64_t n_blocks, std::byte* dst) {
    constexpr std::uint64_t kLow = 0x7777777777777777u, kOne = 0x1111111111111111u;
    const auto scale = scales(triangle_deviation(8.0f));
    for (std::uint64_t b = 0; b < n_blocks; ++b, dst += sizeof(BlockQ4_0)) {
        const std::uint64_t counter = key + (first_block + b) * 4;
        const std::uint64_t r = mix(counter);
        const std::uint64_t halves[2] = {(r & kLow) + (mix(counter + 1) & kLow) + kOne,
                                         (mix(counter + 2) & kLow) + (mix(counter + 3) & kLow) + kOne};
        BlockQ4_0 block;
        // The top bits of four nibbles, unused so far.
        block.d = scale[(r >> 3 & 1) | (r >> 6 & 2) | (r >> 9 & 4) | (r >> 12 & 8)];
        std::memcpy(block.qs, halves, sizeof block.qs);
        std::memcpy(dst, &block, sizeof block);
    }
}

// Each byte is the sum of two 7-bit numbers less 127: -127 to 127.
void make_q8_0(std::uint64_t key, std::uint64_t first_block, std::uint64_t n_blocks, std::byte* dst) {
    constexpr std::uint64_t kLow = 0x7F7F7F7F7F7F7F7Fu, kOne = 0x0101010101010101u,
                            kSign = 0x8080808080808080u;
    const auto scale = scales(triangle_deviation(128.0f));
    for (std::uint64_t b = 0; b < n_blocks; ++b, dst += sizeof(BlockQ8_0)) {
        const std::uint64_t counter = key + (first_block + b) * 8;
        const std::uint64_t first = mix(counter);
        std::uint64_t parts[4];
        for (std::uint64_t i = 0; i < 4; ++i) {
            const std::uint64_t r = i == 0 ? first : mix(counter + 2 * i);
            // v + 1 with its top bit flipped is v - 127 as a signed byte.
            parts[i] = ((r & kLow) + (mix(counter + 2 * i + 1) & kLow) + kOne) ^ kSign;
        }
        BlockQ8_0 block;
        block.d = scale[(first >> 7 & 1) | (first >> 14 & 2) | (first >> 21 & 4) | (first >> 28 & 8)];
        std::memcpy(block.qs, parts, sizeof block.qs);
        std::memcpy(dst, &block, sizeof block);
    }
}

// The deviation of a number drawn evenly from n neighbouring integers.
float even_deviation(float n) { return std::sqrt((n * n - 1.0f) / 12.0f); }

// Scales of sub-blocks are drawn from 8 to 15; this is their root mean square.
constexpr float kSubScale = 11.726f;

std::uint8_t sub_scale(std::uint64_t bits) { return static_cast<std::uint8_t>(8 | (bits & 7)); }

// Fills blocks with random bits and hands each to `fix` with 64 more, for what must not be random: the scales.
template <class Block, class Fix>
void make_blocks(std::uint64_t key, std::uint64_t first_block, std::uint64_t n_blocks, std::byte* dst,
                 Fix fix) {
    constexpr std::uint64_t kWords = (sizeof(Block) + 7) / 8 + 1;
    for (std::uint64_t b = 0; b < n_blocks; ++b, dst += sizeof(Block)) {
        std::uint64_t words[kWords];
        for (std::uint64_t i = 0; i < kWords; ++i) words[i] = mix(key + (first_block + b) * kWords + i);
        Block block;
        std::memcpy(&block, words, sizeof block);
        fix(block, words[kWords - 1]);
        std::memcpy(dst, &block, sizeof block);
    }
}

// q - 16 and kIq4Values lie a little below 0 in the mean, so the sign of a block's scale is drawn.
template <class Block>
void make_signed(std::uint64_t key, std::uint64_t first, std::uint64_t n, std::byte* dst,
                 float unit_deviation) {
    const auto scale = scales(unit_deviation);
    make_blocks<Block>(key, first, n, dst, [&](Block& block, std::uint64_t bits) {
        block.d = static_cast<std::uint16_t>(scale[bits & 15] | (bits >> 4 & 1) << 15);
    });
}

// With a minimum: of d * q + m, or of d * scale * q - dmin * min where scale and min are equal, the mean is 0 when m or
// -dmin is -d times the mean of q.
std::array<std::uint16_t, 16> minima(const std::array<std::uint16_t, 16>& scale, float mean) {
    std::array<std::uint16_t, 16> table;
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = f32_to_f16(f16_to_f32(scale[i]) * mean);
    return table;
}

template <class Block>
void make_with_minimum(std::uint64_t key, std::uint64_t first, std::uint64_t n, std::byte* dst,
                       float n_values) {
    const auto scale = scales(even_deviation(n_values));
    const auto minimum = minima(scale, -0.5f * (n_values - 1.0f));
    make_blocks<Block>(key, first, n, dst, [&](Block& block, std::uint64_t bits) {
        block.d = scale[bits & 15];
        block.m = minimum[bits & 15];
    });
}

void make_q2_k(std::uint64_t key, std::uint64_t first, std::uint64_t n, std::byte* dst) {
    const auto scale = scales(even_deviation(4.0f) * kSubScale);
    const auto minimum = minima(scale, 1.5f);
    make_blocks<BlockQ2_K>(key, first, n, dst, [&](BlockQ2_K& block, std::uint64_t bits) {
        for (int s = 0; s < 16; ++s) block.scales[s] = static_cast<std::uint8_t>(sub_scale(bits >> s) * 0x11);
        block.d = scale[bits >> 60];
        block.dmin = minimum[bits >> 60];
    });
}

void make_q3_k(std::uint64_t key, std::uint64_t first, std::uint64_t n, std::byte* dst) {
    const auto scale = scales(std::hypot(even_deviation(8.0f), 0.5f) * kSubScale);
    make_blocks<BlockQ3_K>(key, first, n, dst, [&](BlockQ3_K& block, std::uint64_t bits) {
        std::uint8_t signed_scales[16];
        for (int s = 0; s < 16; ++s) {
            const std::uint8_t size = sub_scale(bits >> s);
            signed_scales[s] = static_cast<std::uint8_t>((bits >> (40 + s) & 1) != 0 ? 32 + size : 32 - size);
        }
        pack_q3_scales(signed_scales, block.scales);
        block.d = scale[bits >> 60];
    });
}

// Q4_K and Q5_K.
template <class Block>
void make_k_with_minimum(std::uint64_t key, std::uint64_t first, std::uint64_t n, std::byte* dst,
                         float n_values) {
    const auto scale = scales(even_deviation(n_values) * kSubScale);
    const auto minimum = minima(scale, 0.5f * (n_values - 1.0f));
    make_blocks<Block>(key, first, n, dst, [&](Block& block, std::uint64_t bits) {
        std::uint8_t both[8];
        for (int s = 0; s < 8; ++s) both[s] = sub_scale(bits >> (3 * s));
        pack_q4_scales(both, both, block.scales);
        block.d = scale[bits >> 60];
        block.dmin = minimum[bits >> 60];
    });
}

void make_q6_k(std::uint64_t key, std::uint64_t first, std::uint64_t n, std::byte* dst) {
    const auto scale = scales(std::hypot(even_deviation(64.0f), 0.5f) * kSubScale);
    make_blocks<BlockQ6_K>(key, first, n, dst, [&](BlockQ6_K& block, std::uint64_t bits) {
        for (int s = 0; s < 16; ++s) {
            const int size = sub_scale(bits >> s);
            block.scales[s] = static_cast<std::int8_t>((bits >> (40 + s) & 1) != 0 ? size : -size);
        }
        block.d = scale[bits >> 60];
    });
}

// Of the 16 values that a nibble of IQ4_NL stands for, about 0.
float iq4_deviation() {
    float squares = 0.0f;
    for (const std::int8_t v : kIq4Values) squares += static_cast<float>(v) * static_cast<float>(v);
    return std::sqrt(squares / 16.0f);
}

template <class T, class Convert>
void make_floats(std::uint64_t key, std::uint64_t first, std::uint64_t n, std::byte* dst, Convert convert) {
    constexpr float kSteps = 65536.0f;
    const float scale = kDeviation / triangle_deviation(kSteps);
    for (std::uint64_t i = 0; i < n; ++i, dst += sizeof(T)) {
        const std::uint64_t r = mix(key + first + i);
        const auto sum = static_cast<float>((r & 0xFFFF) + (r >> 48));
        const T value = convert((sum - (kSteps - 1.0f)) * scale);
        std::memcpy(dst, &value, sizeof value);
    }
}

}  // namespace

std::uint64_t random_key(std::uint64_t seed, const std::string& name) {
    std::uint64_t key = mix(seed);
    for (const char c : name) key = mix(key ^ static_cast<unsigned char>(c));
    return key;
}

void make_random_rows(const Tensor& tensor, std::uint64_t key, std::uint64_t row_begin, std::uint64_t n_rows,
                      std::byte* dst) {
    const std::uint64_t first = row_begin * tensor.n_cols(), n = n_rows * tensor.n_cols();
    if (tensor.name.ends_with("norm.weight")) {
        if (tensor.dtype != DType::F32) fail(ErrorCode::unsupported, "Norm '", tensor.name, "' must be F32.");
        const float one = 1.0f;
        for (std::uint64_t i = 0; i < n; ++i) std::memcpy(dst + i * sizeof one, &one, sizeof one);
        return;
    }
    const auto block_length = static_cast<std::uint64_t>(dtype_info(tensor.dtype).block_length);
    const std::uint64_t begin = first / block_length, count = n / block_length;
    const float signed_five = std::hypot(even_deviation(32.0f), 0.5f);
    switch (tensor.dtype) {
        case DType::F32: make_floats<float>(key, first, n, dst, [](float v) { return v; }); return;
        case DType::F16: make_floats<std::uint16_t>(key, first, n, dst, f32_to_f16); return;
        case DType::BF16: make_floats<std::uint16_t>(key, first, n, dst, f32_to_bf16); return;
        case DType::Q4_0: make_q4_0(key, begin, count, dst); return;
        case DType::Q4_1: make_with_minimum<BlockQ4_1>(key, begin, count, dst, 16.0f); return;
        case DType::Q5_0: make_signed<BlockQ5_0>(key, begin, count, dst, signed_five); return;
        case DType::Q5_1: make_with_minimum<BlockQ5_1>(key, begin, count, dst, 32.0f); return;
        case DType::Q8_0: make_q8_0(key, begin, count, dst); return;
        case DType::Q2_K: make_q2_k(key, begin, count, dst); return;
        case DType::Q3_K: make_q3_k(key, begin, count, dst); return;
        case DType::Q4_K: make_k_with_minimum<BlockQ4_K>(key, begin, count, dst, 16.0f); return;
        case DType::Q5_K: make_k_with_minimum<BlockQ5_K>(key, begin, count, dst, 32.0f); return;
        case DType::Q6_K: make_q6_k(key, begin, count, dst); return;
        case DType::IQ4_NL: make_signed<BlockIQ4_NL>(key, begin, count, dst, iq4_deviation()); return;
        default:
            fail(ErrorCode::unsupported, "Random tensors of type ", dtype_info(tensor.dtype).name,
                 " cannot be made.");
    }
}

}  // namespace neox
