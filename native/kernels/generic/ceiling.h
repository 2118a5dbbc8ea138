// The loops that measure what the processor can do at best. Included inside a target region; see README.md.
#pragma once

namespace neox::NEOX_ISA {

std::int64_t peak_int8(std::int64_t n_rounds, float* sink) {
    std::uint8_t bytes[64 * kPeakChains];
    std::int8_t values[64];
    for (int i = 0; i < 64 * kPeakChains; ++i)
        bytes[i] = static_cast<std::uint8_t>((i * 7 + (i >> 4) * n_rounds) & 15);
    for (int i = 0; i < 64; ++i) values[i] = static_cast<std::int8_t>(i - 32);
    using Peak = Dot<4, 8>;
    Peak::Sum sums[kPeakChains];
    NEOX_UNROLL
    for (int c = 0; c < kPeakChains; ++c) sums[c] = Peak::start(c);
    for (std::int64_t round = 0; round < n_rounds; ++round) {
        const X4 x = broadcast_x4(values + (round & 15) * 4);
        NEOX_UNROLL
        for (int c = 0; c < kPeakChains; ++c)
            sums[c] = Peak::add(sums[c], Peak::prepare(load_u8(bytes + 64 * c)), x);
    }
    I32x16 total = Peak::finish(sums[0], 0);
    for (int c = 1; c < kPeakChains; ++c) total = add(total, Peak::finish(sums[c], 0));
    *sink = static_cast<float>(reduce_add(total));
    return n_rounds * kPeakChains * 128;
}

std::int64_t peak_int16(std::int64_t n_rounds, float* sink) {
    std::int32_t weights[16 * kPeakChains], values[16];
    for (std::int32_t i = 0; i < 16 * kPeakChains; ++i) weights[i] = (i - 8) * 0x10001;
    for (std::int32_t i = 0; i < 16; ++i) values[i] = 0x20001 + i;
    I32x16 sums[kPeakChains];
    NEOX_UNROLL
    for (int c = 0; c < kPeakChains; ++c) sums[c] = broadcast(c);
    for (std::int64_t round = 0; round < n_rounds; ++round) {
        const I32x16 x = broadcast(values[round & 15]);
        NEOX_UNROLL
        for (int c = 0; c < kPeakChains; ++c)
            sums[c] = kept(add_pair_products(sums[c], load_i32(weights + 16 * c), x));
    }
    I32x16 total = sums[0];
    for (int c = 1; c < kPeakChains; ++c) total = add(total, sums[c]);
    *sink = static_cast<float>(reduce_add(total));
    return n_rounds * kPeakChains * 64;
}

std::int64_t peak_f32(std::int64_t n_rounds, float* sink) {
    float weights[16 * kPeakChains], values[16];
    for (int i = 0; i < 16 * kPeakChains; ++i) weights[i] = static_cast<float>(i);
    for (int i = 0; i < 16; ++i) values[i] = static_cast<float>(i - 8);
    F32x16 sums[kPeakChains];
    NEOX_UNROLL
    for (int c = 0; c < kPeakChains; ++c) sums[c] = broadcast(0.0f);
    for (std::int64_t round = 0; round < n_rounds; ++round) {
        const F32x16 x = broadcast(values[round & 15]);
        NEOX_UNROLL
        for (int c = 0; c < kPeakChains; ++c) sums[c] = fma(load(weights + 16 * c), x, sums[c]);
    }
    F32x16 total = sums[0];
    for (int c = 1; c < kPeakChains; ++c) total = add(total, sums[c]);
    *sink = reduce_add(total);
    return n_rounds * kPeakChains * 32;
}

std::int32_t read(const std::byte* p, std::size_t bytes) {
    I32x16 sums[4] = {broadcast(0), broadcast(0), broadcast(0), broadcast(0)};
    for (std::size_t i = 0; i < bytes; i += 256) {
        NEOX_UNROLL
        for (int c = 0; c < 4; ++c) {
            sums[c] = add(sums[c], load_i32(p + i + 64 * c));
        }
    }
    return reduce_add(add(add(sums[0], sums[1]), add(sums[2], sums[3])));
}

}  // namespace neox::NEOX_ISA
