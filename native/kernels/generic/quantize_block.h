// Activations of one block to integers with one scale. Included inside a target region; see README.md.
#pragma once

namespace neox::NEOX_ISA {

struct QuantizedBlock {
    I32x16 low, high;
    float scale;
    std::int32_t sum[2];  // of each half
};

// 32 values, and the bits of the largest magnitude: magnitudes compare as integers, where a NaN is the largest.
struct RawBlock {
    F32x16 low, high;
    std::int32_t largest;
};
NEOX_INLINE RawBlock read_block(const float* x) {
    const F32x16 low = load(x), high = load(x + 16);
    return {low, high, reduce_max(max(bits_of(abs(low)), bits_of(abs(high))))};
}
NEOX_INLINE float f32_of_bits(std::int32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
}

NEOX_INLINE std::int32_t bits_of(float value) {
    std::int32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits;
}

// The integers round(x * factor) within +-kLimit.
template <int kLimit> NEOX_INLINE QuantizedBlock quantize_by(const RawBlock& x, float factor, float scale) {
    const F32x16 by = broadcast(factor);
    const I32x16 top = broadcast(kLimit), bottom = broadcast(-kLimit);
    const I32x16 low = max(bottom, min(top, round_to_i32(mul(x.low, by))));
    const I32x16 high = max(bottom, min(top, round_to_i32(mul(x.high, by))));
    return {low, high, scale, {reduce_add(low), reduce_add(high)}};
}
NEOX_INLINE QuantizedBlock zeros_with_scale(float scale) {
    return {broadcast(0), broadcast(0), scale, {0, 0}};
}

inline constexpr std::int32_t kInfinityBits = 0x7f800000, kNanBits = 0x7fc00000,
                              kTinyBits = (127 - 100) << 23;

// The integers of one block of 32 and their scale: round(x * (limit / absmax)), scale absmax / limit. A block whose
// largest magnitude is below 2^-100 counts as zero, since limit / absmax must stay finite; one that holds an infinity
// or a NaN gets a NaN scale, so that the failure shows up in the results.
template <int kLimit> NEOX_INLINE QuantizedBlock quantize_block(const float* values) {
    const RawBlock x = read_block(values);
    if (x.largest < kTinyBits) return zeros_with_scale(0.0f);
    const float absmax = f32_of_bits(x.largest);
    if (x.largest >= kInfinityBits) return zeros_with_scale(absmax - absmax);
    return quantize_by<kLimit>(x, static_cast<float>(kLimit) / absmax, absmax / static_cast<float>(kLimit));
}

}  // namespace neox::NEOX_ISA
