// Activation scales of few bits. Included inside a target region; see README.md.
//
// Beside weights of the K types a block's scale is 1, 1 1/16, 1 1/8, 1 1/4, 1 1/2, 1 3/4, 1 7/8 or 1 15/16 times a
// power of two: the least of these that the block fits under. All are sums or differences of two powers of two, so a
// product with an exact sum is exact in f32 too, and additions can make it: they run on units of the processor that
// would be idle beside dots and multiplications.
#pragma once

#include "kernels/generic/quantize_block.h"

namespace neox::NEOX_ISA {

// The sums whose products are exact however they are made: below 2^17 in magnitude.
inline constexpr int kCoarseSums = 1 << 17;

// With 1.5 * 2^23 added, an integer below 2^22 can be added to the bits of an f32. So the bits of F = power * (1.5 * 2^23 +
// sum) are `base` + sum for the first power of two, and `change` leads from them to F of the second, with its sign.
//   scale * sum = (F - taken) + F of the second, where taken = 1.5 * 2^23 * scale
struct CoarseScale {
    float value;
    float taken;
    std::int32_t base;
    std::int32_t change;
};

// Scales between two powers of two in sixteenths: what a scale is rounded up to, the octaves of `first` above the lower
// power, those of `second` below `first`, and whether second is taken off.
struct CoarseStep {
    std::int32_t sixteenths, rise, fall;
    bool is_less;
};
inline constexpr CoarseStep k16{16, 1, 1, true}, k17{17, 0, 4, false}, k18{18, 0, 3, false},
    k20{20, 0, 2, false}, k24{24, 0, 1, false}, k28{28, 1, 3, true}, k30{30, 1, 4, true}, k31{31, 1, 5, true},
    k32{32, 2, 1, true};
inline constexpr CoarseStep kCoarseSteps[17] = {k16, k17, k18, k20, k20, k24, k24, k24, k24,
                                                k28, k28, k28, k28, k30, k30, k31, k32};

// For the bits of a magnitude in [2^-100, 2^108).
NEOX_INLINE CoarseScale coarse_scale(std::int32_t absmax) {
    constexpr std::int32_t kOctave = 1 << 23, kSixteenth = kOctave / 16;
    // What is rounded to 127 may be up to 127.49 times the scale.
    const std::int32_t least = bits_of(f32_of_bits(absmax) * (1.0f / 127.49f));
    const std::int32_t power = least & ~(kOctave - 1);
    const CoarseStep& step = kCoarseSteps[((least & (kOctave - 1)) + kSixteenth - 1) / kSixteenth];
    const std::int32_t change = -step.fall * kOctave;
    const float value = f32_of_bits(power + (step.sixteenths - 16) * kSixteenth);
    return {value, 0x1.8p23f * value, power + (step.rise + 23) * kOctave + kOctave / 2,
            step.is_less ? change ^ INT32_MIN : change};
}

// A block and its scale; one with magnitudes of 2^108 and more gets a NaN scale, as those with an infinity do.
NEOX_INLINE QuantizedBlock quantize_coarse_block(const float* values, CoarseScale& scale) {
    const RawBlock x = read_block(values);
    if (x.largest < kTinyBits || x.largest >= (127 + 108) << 23) {
        const bool is_zero = x.largest < kTinyBits;
        scale = {is_zero ? 0.0f : f32_of_bits(kNanBits), is_zero ? 0x1.8p24f : f32_of_bits(kNanBits),
                 bits_of(0x1.8p23f), 0};
        return zeros_with_scale(scale.value);
    }
    scale = coarse_scale(x.largest);
    return quantize_by<127>(x, 1.0f / scale.value, scale.value);
}

}  // namespace neox::NEOX_ISA
