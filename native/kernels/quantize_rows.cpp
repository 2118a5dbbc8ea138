#include "kernels/quantize_rows.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "kernels/dispatch.h"
#include "kernels/kernels.h"
#include "quant/quant.h"

namespace neox {
namespace {

// Divided by the largest, since only ratios matter.
std::vector<float> normalized(const float* importance, std::int64_t n_cols) {
    std::vector<float> shares(importance, importance + n_cols);
    float largest = 0.0f;
    for (std::int64_t i = 0; i < n_cols; ++i) {
        const float value = importance[i];
        if (!(value >= 0.0f) || std::isinf(value))
            fail(ErrorCode::format_value, "The importance of column ", i, " is ", value,
                 "; it must be finite and not negative.");
        largest = std::max(largest, value);
    }
    if (largest > 0.0f)
        for (float& share : shares) share /= largest;
    return shares;
}

// In double, and in one order on every instruction set.
float mean_square(const float* x, std::int64_t n) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return static_cast<float>(sum / static_cast<double>(n));
}

}  // namespace

void quantize_rows(const Kernels& kernels, DType dtype, const float* x, std::int64_t n_rows,
                   std::int64_t n_cols, const float* importance, std::byte* dst) {
    if (n_rows <= 0 || n_cols <= 0) return;
    const auto stride = static_cast<std::int64_t>(row_bytes(dtype, static_cast<std::uint64_t>(n_cols)));
    if (!needs_code_search(dtype)) {
        for (std::int64_t row = 0; row < n_rows; ++row)
            quantize_row(dtype, x + row * n_cols, n_cols, dst + row * stride);
        return;
    }
    std::vector<float> shares;
    if (importance) shares = normalized(importance, n_cols);
    const DTypeInfo& info = dtype_info(dtype);
    BlockCodes codes[16];
    const float* block_importance[16];
    CodeSearch search{dtype, 0, {}, importance ? block_importance : nullptr, {}, codes};
    const int most = code_search_blocks(dtype);
    std::byte* next = dst;  // blocks follow one another, across rows too
    const auto finish = [&] {
        if (search.n_blocks == 0) return;
        kernels.search_codes(search);
        for (int i = 0; i < search.n_blocks; ++i, next += info.block_bytes) pack_block(dtype, codes[i], next);
        search.n_blocks = 0;
    };
    for (std::int64_t row = 0; row < n_rows; ++row, x += n_cols) {
        check_quantizable(x, n_cols);
        const float square = importance ? mean_square(x, n_cols) : 0.0f;
        for (std::int64_t i = 0; i < n_cols; i += info.block_length) {
            const int n = search.n_blocks++;
            search.x[n] = x + i;
            search.mean_square[n] = square;
            if (importance) block_importance[n] = shares.data() + i;
            if (search.n_blocks == most) finish();
        }
    }
    finish();
}

void quantize_rows(DType dtype, const float* x, std::int64_t n_rows, std::int64_t n_cols,
                   const float* importance, std::byte* dst) {
    quantize_rows(active_kernels(), dtype, x, n_rows, n_cols, importance, dst);
}

}  // namespace neox
