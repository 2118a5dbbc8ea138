// The resident layout of quantized blocks, for any processor.
#include "kernels/scalar/lanes.h"

#include "kernels/kernels.h"
#include "kernels/layout_blocks.h"
#include "kernels/words.h"
#include "quant/k_scales.h"

#include "kernels/generic/layout_blocks.h"
