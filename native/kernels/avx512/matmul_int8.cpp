// Integer products for AVX-512.
#include "kernels/target.h"

#if NEOX_X86_64

#include "kernels/avx512/lanes.h"
#include "kernels/kernels.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
#include "kernels/generic/formats.h"
#include "kernels/generic/matmul_int8.h"
NEOX_TARGET_END

#endif
