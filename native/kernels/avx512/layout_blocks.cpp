// The resident layout of quantized blocks for AVX-512: a panel's 16 rows in a register.
#include "kernels/target.h"

#if NEOX_X86_64

#include "kernels/avx512/words.h"
#include "kernels/kernels.h"
#include "kernels/layout_blocks.h"
#include "kernels/tables.h"
#include "quant/k_scales.h"

#if NEOX_HAS_WIDE_WORDS

NEOX_TARGET_BEGIN(NEOX_ISA_TARGET)
#include "kernels/generic/layout_blocks.h"
NEOX_TARGET_END

#else

namespace neox::avx512 {

void lay_out_blocks(DType dtype, std::int64_t n_cols, const std::byte* rows, std::size_t row_stride,
                    std::byte* tile, int width, int side) {
    scalar_kernels().lay_out_blocks(dtype, n_cols, rows, row_stride, tile, width, side);
}

}  // namespace neox::avx512

#endif

#endif
