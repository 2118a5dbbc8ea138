#include "jobs/tensor_errors.h"

#include <algorithm>
#include <cmath>

#include "quant/quant.h"

namespace neox {

TensorErrors::TensorErrors(const Tensor& tensor, std::span<const float> importance)
    : tensor_(tensor), importance_(importance) {}

void TensorErrors::Sums::add(const Sums& other) {
    squares += other.squares, errors += other.errors;
    weighted_squares += other.weighted_squares, weighted_errors += other.weighted_errors;
    largest = std::max(largest, other.largest);
}

void TensorErrors::measure(std::uint64_t n_rows, const float* before, const std::byte* written,
                           Sums& sums) const {
    const auto n_cols = static_cast<std::size_t>(tensor_.n_cols());
    const std::uint64_t stride = row_bytes(tensor_.dtype, tensor_.n_cols());
    std::vector<float> row(n_cols);
    for (std::uint64_t i = 0; i < n_rows; ++i, before += n_cols, written += stride) {
        dequantize_row(tensor_.dtype, written, static_cast<std::int64_t>(n_cols), row.data());
        for (std::size_t k = 0; k < n_cols; ++k) {
            const double x = before[k], e = static_cast<double>(row[k]) - x;
            sums.squares += x * x;
            sums.errors += e * e;
            sums.largest = std::max(sums.largest, std::fabs(e));
            if (importance_.empty()) continue;
            const double weight = importance_[k];
            sums.weighted_squares += weight * (x * x);
            sums.weighted_errors += weight * (e * e);
        }
    }
}

void TensorErrors::take(std::uint64_t row_begin, const Sums& sums) {
    const std::lock_guard lock(mutex_);
    parts_[row_begin] = sums;
}

TensorError TensorErrors::result() const {
    Sums all;
    for (const auto& [row, part] : parts_) all.add(part);
    TensorError error;
    error.name = tensor_.name;
    error.dtype = tensor_.dtype;
    error.n_elements = tensor_.n_elements();
    const auto n = static_cast<double>(error.n_elements);
    error.bits_per_weight = static_cast<double>(tensor_.n_bytes) * 8.0 / n;
    error.rms = std::sqrt(all.squares / n);
    error.rmse = std::sqrt(all.errors / n);
    error.max_error = all.largest;
    if (!importance_.empty())
        error.weighted_error =
            all.weighted_squares > 0.0 ? std::sqrt(all.weighted_errors / all.weighted_squares) : 0.0;
    return error;
}

}  // namespace neox
