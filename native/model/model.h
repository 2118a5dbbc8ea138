// A loaded model: configuration, weights on a device, and the texts that came with them. Weights are shared by all loads
// of one file with one type on one device in the process, worker threads and loads at the same time included.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "model/backend.h"
#include "model/config.h"
#include "model/file_type.h"
#include "model/source.h"

namespace neox {

// Weights on a device; destroyed with the last model that uses them.
class Weights {
public:
    Weights(const Device& device, void* handle) : device_(device), handle_(handle) {}
    ~Weights() { device_.destroy_weights(handle_); }
    Weights(const Weights&) = delete;
    Weights& operator=(const Weights&) = delete;

    const Device& device() const { return device_; }
    const void* handle() const { return handle_; }
    std::uint64_t bytes() const { return device_.weights_bytes(handle_); }

private:
    const Device& device_;
    void* handle_;
};

struct LoadOptions {
    std::optional<FileType> type;  // quantizes the matrices while loading
    int n_threads = 0;             // 0: default_thread_count()
    std::function<void(std::uint64_t done, std::uint64_t total)>
        on_progress;  // bytes read; called on the loading thread
    // The texts, before the weights are read: what is made of them can be made meanwhile. Called on the loading thread; what it
    // throws ends the load.
    std::function<void(const ModelText& text)> on_text;
    const std::atomic<bool>* cancel = nullptr;
};

struct Model {
    ParsedConfig parsed;
    ModelText text;
    DType dtype = DType::F32;           // of most matrix elements
    std::optional<FileType> file_type;  // asked for, else what the file says of itself
    bool is_requantized = false;        // from one quantized type to another
    std::uint64_t file_bytes = 0;
    std::uint64_t fingerprint = 0;  // of the resident weights: see model/fingerprint.h
    std::shared_ptr<const Weights> weights;

    const Config& config() const { return parsed.config; }
};

struct LoadPlan;
// Names the device once the file's headers are read; `is_loaded` tells whether the same weights live on a device already.
using ChooseDevice = std::function<const Device&(const TensorSource& source, const LoadPlan& plan,
                                                 const std::function<bool(const Device& device)>& is_loaded)>;

// Loads or shares. Throws ERR_NEOX_FILE_NOT_FOUND, a format code, ERR_NEOX_OUT_OF_MEMORY, ERR_NEOX_CANCELLED.
std::shared_ptr<const Model> load_model(const std::string& path, const Device& device,
                                        const LoadOptions& options);
// The same, and what `choose` throws.
std::shared_ptr<const Model> load_model(const std::string& path, const ChooseDevice& choose,
                                        const LoadOptions& options);

// The precision that a model of this type takes when none is asked for.
Precision default_precision(DType dtype);

}  // namespace neox
