// Integer products of steps for NEON with i8mm.
#include "kernels/target.h"

#if NEOX_AARCH64_DOT

#include "kernels/kernels.h"
#include "kernels/neoni8mm/lanes.h"

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
#include "kernels/generic/formats.h"
#include "kernels/generic/matmul_step.h"
NEOX_TARGET_END

#endif
