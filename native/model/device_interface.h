// How a device library shows itself: one exported C function, neox_device_library(), that gives what stands here. The structs
// of backend.h, batch.h and config.h cross as they are, so that host and library must agree about each of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "model/backend.h"
#include "model/batch.h"
#include "model/config.h"
#include "model/profile.h"

// Before the definition of the function, in the library's source.
#if defined(_WIN32)
#define NEOX_DEVICE_EXPORT extern "C" __declspec(dllexport)
#else
#define NEOX_DEVICE_EXPORT extern "C" __attribute__((visibility("default")))
#endif

namespace neox {

inline constexpr const char* kDeviceFunction = "neox_device_library";
inline constexpr std::uint64_t kDeviceMagic = 0x6e656f782d646576;  // "neox-dev"
// Rises when the meaning of what crosses changes and no size of it.
inline constexpr std::uint32_t kDeviceAbi = 1;

inline constexpr std::uint32_t kDeviceSizes[] = {sizeof(Status),
                                                 sizeof(BackendOptions),
                                                 sizeof(MemoryEstimate),
                                                 sizeof(Backend),
                                                 sizeof(Upload),
                                                 sizeof(TensorSpec),
                                                 sizeof(DeviceProbe),
                                                 sizeof(Device),
                                                 sizeof(Config),
                                                 sizeof(SequenceView),
                                                 sizeof(Row),
                                                 sizeof(InputSquares),
                                                 sizeof(Batch),
                                                 sizeof(PassProfile)};
inline constexpr std::size_t kDeviceSizeCount = sizeof(kDeviceSizes) / sizeof(kDeviceSizes[0]);

// Magic, abi and version stay where they are for ever; the rest is read only when they are as expected.
struct DeviceLibrary {
    std::uint64_t magic;
    std::uint32_t abi;
    char version[44];  // of the package, "0.1.0"; ends with NUL
    std::uint32_t sizes[kDeviceSizeCount];
    const Device* device;  // lives as long as the process
};
static_assert(offsetof(DeviceLibrary, abi) == 8 && offsetof(DeviceLibrary, version) == 12 &&
              offsetof(DeviceLibrary, sizes) == 56);

// What neox_device_library() returns a pointer to.
inline DeviceLibrary describe_device_library(const Device& device, const char* version) {
    DeviceLibrary library{};
    library.magic = kDeviceMagic;
    library.abi = kDeviceAbi;
    std::strncpy(library.version, version, sizeof(library.version) - 1);
    std::memcpy(library.sizes, kDeviceSizes, sizeof(kDeviceSizes));
    library.device = &device;
    return library;
}

using DeviceLibraryFn = const DeviceLibrary* (*)();

}  // namespace neox
