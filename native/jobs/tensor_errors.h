// How far the tensors of a file as written are from what they were: sums made while the rows are at hand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace neox {

// Of one matrix.
struct TensorError {
    std::string name;
    DType dtype = DType::F32;  // as written
    std::uint64_t n_elements = 0;
    double bits_per_weight = 0.0;
    double rms = 0.0;        // of the weights before
    double rmse = 0.0;       // root of the mean squared difference
    double max_error = 0.0;  // largest difference
    // With an importance matrix: the root of sum(w e^2) / sum(w x^2), w the importance of an element's column.
    std::optional<double> weighted_error;
};

// Rows may come in any order and from several threads at once; the result depends on neither.
class TensorErrors {
public:
    struct Sums {
        double squares = 0.0, errors = 0.0, weighted_squares = 0.0, weighted_errors = 0.0, largest = 0.0;
        void add(const Sums& other);
    };

    // importance [tensor's n_cols] or empty. The tensor is that of the file written.
    TensorErrors(const Tensor& tensor, std::span<const float> importance);
    TensorErrors(const TensorErrors&) = delete;
    TensorErrors& operator=(const TensorErrors&) = delete;

    // Adds the sums of rows as they were, f32 [n_rows, n_cols], and as written, row_bytes() apart.
    void measure(std::uint64_t n_rows, const float* before, const std::byte* written, Sums& sums) const;
    // Takes the sums of the rows from row_begin on; a part of the tensor is given once.
    void take(std::uint64_t row_begin, const Sums& sums);

    TensorError result() const;

private:
    const Tensor& tensor_;
    std::span<const float> importance_;
    std::mutex mutex_;
    std::map<std::uint64_t, Sums> parts_;  // by first row, so that they are added in one order
};

}  // namespace neox
