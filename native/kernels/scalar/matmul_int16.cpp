// Scalar products of 16-bit integers, the oracle of the other instruction sets.
#include "kernels/kernels.h"
#include "kernels/scalar/lanes.h"

#include "kernels/generic/formats.h"
#include "kernels/generic/formats_f32.h"
#include "kernels/generic/matmul_int16.h"
#include "kernels/generic/quantize_int16.h"
