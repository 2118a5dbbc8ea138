#include "kernels/quantize_rows.h"

#include "quant/quant.h"

namespace neox {

void quantize_rows(DType dtype, const float* x, std::int64_t n_rows, std::int64_t n_cols, const float*,
                   std::byte* dst) {
    const auto stride = static_cast<std::int64_t>(row_bytes(dtype, static_cast<std::uint64_t>(n_cols)));
    for (std::int64_t row = 0; row < n_rows; ++row)
        quantize_row(dtype, x + row * n_cols, n_cols, dst + row * stride);
}

}  // namespace neox
