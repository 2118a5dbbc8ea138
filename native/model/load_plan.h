// What loading will do, decided before a byte is read: which tensor goes where, in which type, in which slices.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/backend.h"
#include "model/source.h"

namespace neox {

struct PlannedTensor {
    std::size_t index;  // into TensorSource::tensors()
    Role role;
    std::int32_t layer;
    DType dtype;        // to be resident in
};

struct LoadSlice {
    std::size_t tensor;  // into LoadPlan::tensors
    std::uint64_t row_begin;
    std::uint64_t n_rows;
    std::uint64_t n_bytes;  // in the file
};

struct LoadPlan {
    std::vector<PlannedTensor> tensors;
    std::vector<LoadSlice> slices;  // a few MiB each, in file order
    std::uint64_t n_bytes = 0;
    DType dtype = DType::F32;       // that most matrix elements will have
};

// Throws ERR_NEOX_UNSUPPORTED for a tensor whose type cannot be resident, ERR_NEOX_FORMAT_SHAPE when its rows are no
// multiple of `type`'s block.
LoadPlan plan_load(const TensorSource& source, std::optional<DType> type);

}  // namespace neox
