// A model of a named shape with random weights, put on a device slice by slice as a file's would be, without a file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/backend.h"
#include "model/file_type.h"
#include "model/load_plan.h"
#include "model/source.h"

namespace bench {

// The tensors that `neox synth` would write, without their rows: those are drawn once per tensor, a slice long.
class RandomSource final : public neox::TensorSource {
public:
    // n_layer 0: all of the shape's. Throws ERR_NEOX_INVALID_ARGUMENT for an unknown shape.
    RandomSource(const std::string& shape, neox::FileType type, std::int32_t n_layer);
    RandomSource(const neox::Config& config, neox::FileType type);

    const neox::ParsedConfig& parsed() const override { return parsed_; }
    const neox::ModelText& text() const override { return text_; }
    std::string identity() const override { return "random"; }
    const char* format() const override { return "random"; }
    std::vector<neox::SourceFile> files() const override { return {}; }
    const std::vector<neox::Tensor>& tensors() const override { return tensors_; }
    void read_rows(std::size_t index, std::uint64_t row_begin, std::uint64_t n_rows,
                   std::byte* dst) const override;

private:
    void set_tensors(neox::FileType type);

    neox::ParsedConfig parsed_;
    neox::ModelText text_;
    std::vector<neox::Tensor> tensors_;
};

// Weights on a device that are destroyed with it.
class DeviceWeights {
public:
    // Uploads on n_threads threads. Slices of one tensor hold the same rows: the device's work does not depend on them.
    DeviceWeights(const neox::Device& device, const RandomSource& source, int n_threads);
    ~DeviceWeights() { device_.destroy_weights(handle_); }
    DeviceWeights(const DeviceWeights&) = delete;
    DeviceWeights& operator=(const DeviceWeights&) = delete;

    const void* handle() const { return handle_; }
    const neox::LoadPlan& plan() const { return plan_; }
    double upload_seconds() const { return upload_seconds_; }
    // Of the file's rows: of all tensors, and of those that a pass reads whole (all but the embedding).
    std::uint64_t file_bytes() const { return plan_.n_bytes; }
    std::uint64_t read_bytes() const { return read_bytes_; }

private:
    const neox::Device& device_;
    void* handle_ = nullptr;
    neox::LoadPlan plan_;
    double upload_seconds_ = 0;
    std::uint64_t read_bytes_ = 0;
};

}  // namespace bench
