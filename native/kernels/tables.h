// One function per instruction set that is compiled in, best first in dispatch.cpp.
#pragma once

#include "kernels/kernels.h"

namespace neox {

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
