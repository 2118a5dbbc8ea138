// Integer products of steps for scalar code.
#include "kernels/kernels.h"
#include "kernels/scalar/lanes.h"

#include "kernels/generic/formats.h"
#include "kernels/generic/matmul_step.h"
