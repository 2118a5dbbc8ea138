// bf16 products for scalar code.
#include "kernels/kernels.h"
#include "kernels/scalar/lanes.h"

#include "kernels/generic/formats.h"
#include "kernels/generic/formats_f32.h"
#include "kernels/generic/matmul_bf16.h"
