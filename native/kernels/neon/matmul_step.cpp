// Integer products of steps for NEON.
#include "kernels/target.h"

#if NEOX_AARCH64

#include "kernels/kernels.h"
#include "kernels/neon/lanes.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
#include "kernels/generic/formats.h"
#include "kernels/generic/matmul_step.h"
NEOX_TARGET_END

#endif
