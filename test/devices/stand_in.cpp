// A device library whose GPU is the CPU, for the tests of loading, choosing and failing (test/integration/devices.test.ts). Its
// file's name says what is wrong with it: a test copies it to the name that it needs.
#include <dlfcn.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "model/device_interface.h"

namespace {

using namespace neox;

constexpr std::uint64_t kMiB = 1 << 20;

// The name of this very file, without folder and extension.
const std::string& own_name() {
    static const std::string name = [] {
        Dl_info info{};
        dladdr(reinterpret_cast<const void*>(&own_name), &info);
        return std::filesystem::path(info.dli_fname).stem().string();
    }();
    return name;
}

bool is(const char* fault) { return own_name() == fault; }

Status create_weights(const void* self, const Config* config, const TensorSpec* tensors,
                      std::size_t n_tensors, void** weights) {
    if (is("full")) return make_status(ErrorCode::out_of_memory, "The stand-in has no room for weights.");
    return cpu_device().create_weights(self, config, tensors, n_tensors, weights);
}

Status create_backend(const void* weights, const BackendOptions* options, Backend* backend) {
    if (is("full-later"))
        return make_status(ErrorCode::out_of_memory, "The stand-in has no room for keys and values.");
    const Status status = cpu_device().create_backend(weights, options, backend);
    if (status.code == 0 && is("broken"))
        backend->forward = [](void*, const Batch*, std::int32_t, std::int32_t, float*) {
            return make_status(ErrorCode::backend, "The stand-in broke down.");
        };
    return status;
}

Status estimate(const void* self, const Config* config, const BackendOptions* options,
                const TensorSpec* tensors, std::size_t n_tensors, MemoryEstimate* out) {
    if (is("choosy")) return make_status(ErrorCode::unsupported, "The stand-in takes no such tensor.");
    return cpu_device().estimate(self, config, options, tensors, n_tensors, out);
}

Status probe(const void*, DeviceProbe* out) {
    *out = DeviceProbe{};
    if (is("silent")) return make_status(ErrorCode::internal, "The stand-in does not answer.");
    if (is("old-driver")) {
        std::strncpy(out->reason, "The driver is too old: 470.82 speaks CUDA 11.4, and 12.0 is needed.",
                     sizeof(out->reason) - 1);
        return Status{};
    }
    out->is_usable = 1;
    out->total_bytes = 8192 * kMiB;
    // 256 MiB of it stay unplanned.
    out->free_bytes = is("small") ? 266 * kMiB : is("tiny") ? 256 * kMiB + kMiB / 8 : 4096 * kMiB;
    std::strncpy(out->name, "Stand-in", sizeof(out->name) - 1);
    std::strncpy(out->driver, "no driver, the CPU", sizeof(out->driver) - 1);
    return Status{};
}

DeviceLibrary describe() {
    static const Device device = [] {
        Device made = cpu_device();
        made.name = "cuda";
        made.create_weights = create_weights;
        made.create_backend = create_backend;
        made.estimate = estimate;
        made.probe = probe;
        return made;
    }();
    DeviceLibrary library = describe_device_library(device, is("old-version") ? "0.0.9" : NEOX_VERSION);
    if (is("foreign")) library.magic = 7;
    if (is("old-interface")) library.abi = 0;
    if (is("other-build")) library.sizes[0] += 8;
    if (is("empty")) library.device = nullptr;
    return library;
}

}  // namespace

NEOX_DEVICE_EXPORT const neox::DeviceLibrary* neox_device_library() {
    static const neox::DeviceLibrary library = describe();
    return &library;
}
