// A counter-based generator: the number is a function of its key alone, so that draws do not depend on what
// was drawn before, in which order, or on which machine.
#pragma once

#include <array>
#include <cstdint>

namespace neox {

// Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
inline std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                               std::array<std::uint32_t, 2> key) {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter[0];
        const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * counter[2];
        counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
                   static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
    return counter;
}

// A uniform draw in [0, 1), a multiple of 2^-53. `choice` numbers the sequences of one call, `position` the
// tokens of one sequence.
inline double uniform_draw(std::uint64_t seed, std::uint32_t choice, std::uint64_t position) {
    const std::array<std::uint32_t, 4> bits = philox4x32(
        {static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position >> 32), choice, 0},
        {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
    const std::uint64_t mantissa = (std::uint64_t{bits[0]} << 32 | bits[1]) >> 11;
    return static_cast<double>(mantissa) * 0x1p-53;
}

}  // namespace neox
