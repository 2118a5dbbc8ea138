#include "model/device_choice.h"

#include <algorithm>
#include <vector>

#include "base/checked.h"
#include "model/device_library.h"
#include "model/split_device.h"

namespace neox {

namespace {

// What an estimate does not know: fragments, what the driver takes for itself, and what other processes take meanwhile.
constexpr std::uint64_t kSpareShare = 32, kLeastSpare = std::uint64_t{256} << 20;

std::uint64_t usable_bytes(const DeviceProbe& probe) {
    const std::uint64_t spare = std::max(probe.free_bytes / kSpareShare, kLeastSpare);
    return probe.free_bytes - std::min(spare, probe.free_bytes);
}

std::uint64_t sum_of(const MemoryEstimate& e) {
    return checked_add(checked_add(e.weights_bytes, e.kv_bytes, "memory"), e.scratch_bytes, "memory");
}

std::string mib(std::uint64_t bytes) {
    const std::uint64_t tenths = (bytes * 10 + (1 << 19)) >> 20;
    return text(tenths / 10, ".", tenths % 10, " MiB");
}

// Weights that are there already take no more room.
MemoryEstimate still_needed(const Device& device, const DeviceLoad& load, std::int32_t n_layers) {
    MemoryEstimate needed = estimate_last_layers(device, load, n_layers);
    // A device of some layers, once made, is kept: none is made where nothing can lie there.
    if (load.is_loaded && load.is_loaded(device_of_layers(device, load.config.n_layer, n_layers)))
        needed.weights_bytes = 0;
    return needed;
}

bool fits(const DeviceProbe& probe, const MemoryEstimate& needed) {
    return probe.total_bytes == 0 || sum_of(needed) <= usable_bytes(probe);
}

std::string name_of(const DeviceProbe& probe) { return probe.name[0] ? probe.name : "the GPU"; }

std::string describe_lack(const DeviceLoad& load, const DeviceFit& fit, std::int32_t wanted,
                          const MemoryEstimate& needed) {
    const std::int32_t n_layer = load.config.n_layer;
    return text(wanted == n_layer ? "The model does" : text("The last ", wanted, " layers do"),
                " not fit on ", name_of(fit.probe), ": ", mib(needed.weights_bytes), " of weights, ",
                mib(needed.kv_bytes), " of keys and values and ", mib(needed.scratch_bytes),
                " to work in are needed, ", mib(usable_bytes(fit.probe)), " of ", mib(fit.probe.total_bytes),
                " can be had. ",
                fit.gpu_layers > 0 ? text("The last ", fit.gpu_layers, " of ", n_layer,
                                          " layers fit: gpuLayers ", fit.gpu_layers, ".")
                                   : text("Not even one of ", n_layer, " layers fits: use device \"cpu\"."),
                " A smaller contextLength, maxSequences, kvCacheBytes or kvCacheType leaves more room.");
}

DeviceChoice on_cpu(std::string note) { return {&cpu_device(), 0, std::move(note)}; }

DeviceChoice choose_gpu(const DeviceRequest& request, const DeviceLoad& load) {
    if (request.library.empty()) fail(ErrorCode::backend, request.absence);
    const Device& gpu = open_device_library(request.library, request.version);
    const DeviceFit fit = fit_device(gpu, load);
    const std::int32_t n_layer = load.config.n_layer, wanted = request.gpu_layers.value_or(n_layer);
    if (wanted <= fit.gpu_layers) return {&device_of_layers(gpu, n_layer, wanted), wanted, {}};
    const std::string lack = describe_lack(load, fit, wanted, still_needed(gpu, load, wanted));
    if (request.policy == DevicePolicy::gpu) fail(ErrorCode::out_of_memory, lack);
    return {&device_of_layers(gpu, n_layer, fit.gpu_layers), fit.gpu_layers, lack};
}

}  // namespace

MemoryEstimate estimate_last_layers(const Device& device, const DeviceLoad& load, std::int32_t n_layers) {
    const std::int32_t n_first = load.config.n_layer - n_layers;
    std::vector<TensorSpec> tensors(load.tensors.begin(), load.tensors.end());
    if (n_first > 0)
        std::erase_if(tensors,
                      [&](const TensorSpec& t) { return is_before_split(t.role, t.layer, n_first); });
    BackendOptions options = load.options;
    options.layer_begin = n_first;
    MemoryEstimate estimate{};
    check(device.estimate(device.self, &load.config, &options, tensors.data(), tensors.size(), &estimate));
    return estimate;
}

DeviceFit fit_device(const Device& device, const DeviceLoad& load) {
    DeviceFit fit;
    fit.probe = probe_device(device);
    if (fit.probe.is_usable == 0)
        fail(ErrorCode::backend, fit.probe.reason[0] ? fit.probe.reason : "The GPU cannot be used.");
    fit.all = estimate_last_layers(device, load, load.config.n_layer);
    for (std::int32_t n = load.config.n_layer; n > 0 && fit.gpu_layers == 0; --n)
        if (fits(fit.probe, still_needed(device, load, n))) fit.gpu_layers = n;
    if (fit.gpu_layers > 0) fit.part = estimate_last_layers(device, load, fit.gpu_layers);
    return fit;
}

const Device& device_of_layers(const Device& gpu, std::int32_t n_layer, std::int32_t gpu_layers) {
    if (gpu_layers == 0) return cpu_device();
    return gpu_layers == n_layer ? gpu : split_device(cpu_device(), gpu, n_layer - gpu_layers);
}

DeviceChoice choose_device(const DeviceRequest& request, const DeviceLoad& load) {
    const std::int32_t n_layer = load.config.n_layer;
    if (request.gpu_layers && (*request.gpu_layers < 0 || *request.gpu_layers > n_layer))
        fail(ErrorCode::invalid_argument, "gpuLayers must be from 0 to ", n_layer,
             ", the layers of the model, but is ", *request.gpu_layers, ".");
    if (request.policy == DevicePolicy::cpu) return on_cpu({});
    if (request.gpu_layers == 0) return on_cpu("gpuLayers is 0.");
    if (request.policy == DevicePolicy::gpu) return choose_gpu(request, load);
    try {
        return choose_gpu(request, load);
    } catch (const Error& error) {
        return on_cpu(error.what());
    }
}

}  // namespace neox
