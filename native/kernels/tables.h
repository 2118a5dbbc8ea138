// One function per instruction set that is compiled in, best first in dispatch.cpp.
#pragma once

#include "kernels/kernels.h"

namespace neox {

namespace scalar {
// Four rows at a time in what vectors the compiler has, so it serves other sets too.
void lay_out_blocks(DType dtype, std::int64_t n_cols, const std::byte* rows, std::size_t row_stride,
                    std::byte* tile, int width, int side);
}  // namespace scalar

const Kernels& scalar_kernels();
// x86-64 only
const Kernels& avx2_kernels();
const Kernels& avxvnni_kernels();
const Kernels& avx512_kernels();
const Kernels& avx512vnni_kernels();

// 64-bit ARM only
const Kernels& neon_kernels();
const Kernels& neondot_kernels();
const Kernels& neoni8mm_kernels();

}  // namespace neox
