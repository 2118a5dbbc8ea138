// One block of a quantized type before its bits are packed: what a search for scales finds.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace neox {

// Every number is as the block stores it (quant/blocks.h), so that no two types differ here but in counts.
struct BlockCodes {
    std::uint16_t d;          // f16
    std::uint16_t m;          // f16: m of Q4_1 and Q5_1, dmin of Q2_K, Q4_K and Q5_K
    std::uint8_t scales[16];  // K types: Q3_K with 32 added, Q6_K in two's complement
    std::uint8_t mins[16];    // Q2_K, Q4_K, Q5_K
    std::uint8_t q[256];      // one per element
};

// Packs one block; ERR_NEOX_UNSUPPORTED for types that have no codes.
void pack_block(DType dtype, const BlockCodes& codes, std::byte* dst);

}  // namespace neox
