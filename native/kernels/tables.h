// One function per instruction set that is compiled in, best first in dispatch.cpp.
#pragma once

#include "kernels/kernels.h"

namespace neox {

const Kernels& scalar_kernels();
const Kernels& avx2_kernels();        // x86-64 only
const Kernels& avx512vnni_kernels();  // x86-64 only

}  // namespace neox
