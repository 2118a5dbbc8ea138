// Where a model will run: on the CPU, on a GPU, or its last layers there and the rest here. Decided before a weight is read,
// from what the device says and what it would need.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "model/backend.h"
#include "model/config.h"

namespace neox {

enum class DevicePolicy { automatic, cpu, gpu };

struct DeviceRequest {
    DevicePolicy policy = DevicePolicy::automatic;
    std::string library;  // absolute path of the GPU's device library; empty: there is none
    std::string absence;  // why there is none, for people
    std::string version;  // of this package
    std::optional<std::int32_t> gpu_layers;  // nullopt: all of them, under `automatic` as many as fit
};

struct DeviceChoice {
    const Device* device = nullptr;
    std::int32_t gpu_layers = 0;  // how many of the last layers run on the GPU, the head with the last
    std::string
        note;  // why fewer than were asked for, or than there are; empty where there is nothing to say
};

// What of a model fits on a device beside what is on it already.
struct DeviceFit {
    DeviceProbe probe{};
    MemoryEstimate all{};         // of the whole model
    std::int32_t gpu_layers = 0;  // the most last layers that fit
    MemoryEstimate part{};        // of these
};

// What the choice is about.
struct DeviceLoad {
    const Config& config;
    BackendOptions options{};
    std::span<const TensorSpec> tensors;
    // Whether a device holds these weights already, for another load: then they take no more room. May be empty.
    std::function<bool(const Device& device)> is_loaded;
};

// The memory of the last n layers with the head (n_layer: of everything) on a device.
MemoryEstimate estimate_last_layers(const Device& device, const DeviceLoad& load, std::int32_t n_layers);

// Throws ERR_NEOX_BACKEND where the device cannot be used, ERR_NEOX_UNSUPPORTED where it does not take a tensor's type.
DeviceFit fit_device(const Device& device, const DeviceLoad& load);

// The device of a share of the layers: the CPU, the GPU, or both.
const Device& device_of_layers(const Device& gpu, std::int32_t n_layer, std::int32_t gpu_layers);

// `automatic` never fails: what cannot be used, or has no room for one layer, gives the CPU with a note. `gpu` throws
// ERR_NEOX_BACKEND with the reason, ERR_NEOX_OUT_OF_MEMORY with the figures and what would fit, ERR_NEOX_UNSUPPORTED. More
// gpu_layers than the model has are ERR_NEOX_INVALID_ARGUMENT under either.
DeviceChoice choose_device(const DeviceRequest& request, const DeviceLoad& load);

}  // namespace neox
