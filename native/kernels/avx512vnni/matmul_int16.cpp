// Products of 16-bit integers for AVX-512 VNNI.
#include "kernels/target.h"

#if NEOX_X86_64

#include "kernels/avx512vnni/lanes.h"
#include "kernels/kernels.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
#include "kernels/generic/matmul_int16.h"
NEOX_TARGET_END

#endif
