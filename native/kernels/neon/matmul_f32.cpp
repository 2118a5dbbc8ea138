// f32 products for NEON.
#include "kernels/target.h"

#if NEOX_AARCH64

#include "kernels/kernels.h"
#include "kernels/neon/lanes.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
#include "kernels/generic/formats.h"
#include "kernels/generic/formats_f32.h"
#include "kernels/generic/matmul_f32.h"
NEOX_TARGET_END

#endif
