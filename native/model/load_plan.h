// What loading will do, decided before a byte is read: which tensor goes where, in which type, in which slices.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/backend.h"
#include "model/source.h"
#include "model/type_mix.h"

namespace neox {

struct PlannedTensor {
    std::size_t index;  // into TensorSource::tensors()
    TensorSpec spec;    // to be resident as
};

struct LoadSlice {
    std::size_t tensor;  // into LoadPlan::tensors
    std::uint64_t row_begin;
    std::uint64_t n_rows;
    std::uint64_t n_bytes;  // in the file
};

struct LoadPlan {
    std::vector<PlannedTensor> tensors;
    std::vector<LoadSlice> slices;  // of at most 512 KiB where 16 rows are not more, in file order
    std::uint64_t n_bytes = 0;
    DType dtype = DType::F32;     // that most matrix elements will have
    bool is_requantized = false;  // a quantized tensor becomes another quantized type

    std::vector<TensorSpec> specs() const;
};

// `type` quantizes while loading, by the rules of model/type_mix.h; vectors stay as they are. Throws ERR_NEOX_UNSUPPORTED
// for a tensor whose type cannot be resident.
LoadPlan plan_load(const TensorSource& source, std::optional<FileType> type);

// The memory that loading by this plan takes on a device.
MemoryEstimate estimate_memory(const Device& device, const Config& config, const BackendOptions& options,
                               const LoadPlan& plan);

}  // namespace neox
