// Activations to integers, one scale per 32 columns. Included inside a target region; see README.md.
#pragma once

namespace neox::NEOX_ISA {

// The integers of one block of 32 and their scale: round(x * (limit / absmax)), scale absmax / limit. A block
// whose largest magnitude is below 2^-100 counts as zero, since limit / absmax must stay finite; one that
// holds an infinity or a NaN gets a NaN scale, so that the failure shows up in the results.
struct QuantizedBlock {
    I32x16 low, high;
    float scale;
    std::int32_t sum[2];  // of each half
};

template <int kLimit> NEOX_INLINE QuantizedBlock quantize_block(const float* x) {
    const F32x16 a = load(x), b = load(x + 16);
    // Magnitudes compare as integers, where a NaN is the largest.
    const std::int32_t largest = reduce_max(max(bits_of(abs(a)), bits_of(abs(b))));
    constexpr std::int32_t kInfinity = 0x7f800000, kTiny = (127 - 100) << 23;
    QuantizedBlock block{broadcast(0), broadcast(0), 0.0f, {0, 0}};
    if (largest < kTiny) return block;
    float absmax;
    std::memcpy(&absmax, &largest, sizeof(absmax));
    if (largest >= kInfinity) {
        block.scale = absmax - absmax;
        return block;
    }
    const F32x16 factor = broadcast(static_cast<float>(kLimit) / absmax);
    const I32x16 top = broadcast(kLimit), bottom = broadcast(-kLimit);
    block.low = max(bottom, min(top, round_to_i32(mul(a, factor))));
    block.high = max(bottom, min(top, round_to_i32(mul(b, factor))));
    block.scale = absmax / static_cast<float>(kLimit);
    block.sum[0] = reduce_add(block.low);
    block.sum[1] = reduce_add(block.high);
    return block;
}

void quantize_q8(const float* x, std::int64_t n, std::int8_t* q, float* scale, std::int32_t* sum) {
    for (std::int64_t block = 0; block < n / 32; ++block, x += 32, q += 32) {
        const QuantizedBlock result = quantize_block<127>(x);
        store_i8(q, result.low);
        store_i8(q + 16, result.high);
        scale[block] = result.scale;
        sum[2 * block] = result.sum[0];
        sum[2 * block + 1] = result.sum[1];
    }
}

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
