// Products of 16-bit integers for AVX-512.
#include "kernels/target.h"

#if NEOX_X86_64

#include "kernels/avx512/lanes.h"
#include "kernels/kernels.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
#include "kernels/generic/formats.h"
#include "kernels/generic/formats_f32.h"
#include "kernels/generic/matmul_int16.h"
#include "kernels/generic/quantize_int16.h"
NEOX_TARGET_END

#endif
