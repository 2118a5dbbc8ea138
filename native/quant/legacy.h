// Q8_0 and Q4_0, the formats of one scale per 32 elements. n is a multiple of 32; src and dst need no
// alignment.
#pragma once

#include <cstddef>
#include <cstdint>

namespace neox {

// Values must be finite, else ERR_NEOX_FORMAT_VALUE: no scale can represent a block with an infinity.
void quantize_q8_0(const float* src, std::int64_t n, std::byte* dst);
void quantize_q4_0(const float* src, std::int64_t n, std::byte* dst);

}  // namespace neox
