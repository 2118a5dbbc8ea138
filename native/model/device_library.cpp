#include "model/device_library.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <mutex>
#include <utility>

#include "base/printable.h"
#include "base/shared_library.h"
#include "model/device_interface.h"

namespace neox {

namespace {

// Never destroyed: workers may still load while the process exits.
struct Opened {
    std::mutex mutex;
    std::map<std::string, const DeviceLibrary*> libraries;  // by path
};

Opened& opened() {
    static Opened& instance = *new Opened;
    return instance;
}

const DeviceLibrary& describe(const std::string& path) {
    const SharedLibrary library(path);
    const auto function = reinterpret_cast<DeviceLibraryFn>(library.find(kDeviceFunction));
    if (!function)
        fail(ErrorCode::backend, "'", path, "' is no device library: it does not export ", kDeviceFunction,
             ".");
    const DeviceLibrary* description = function();
    if (!description || description->magic != kDeviceMagic)
        fail(ErrorCode::backend, "'", path, "' is no device library of this project.");
    return *description;
}

void check_description(const DeviceLibrary& library, const std::string& path, const std::string& version) {
    const char* end = std::find(library.version, std::end(library.version), '\0');
    const std::string its_version(static_cast<const char*>(library.version), end);
    const char* advice = "Install the device package of the same version, or build it again.";
    if (its_version != version)
        fail(ErrorCode::backend, "'", path, "' is of version ", printable(its_version),
             ", but this is version ", version, ". ", advice);
    if (library.abi != kDeviceAbi)
        fail(ErrorCode::backend, "'", path, "' has interface ", library.abi, " instead of ", kDeviceAbi, ". ",
             advice);
    if (!std::equal(std::begin(kDeviceSizes), std::end(kDeviceSizes), library.sizes))
        fail(ErrorCode::backend, "'", path, "' was built from another source than this program. ", advice);
    if (!library.device) fail(ErrorCode::backend, "'", path, "' has no device.");
}

}  // namespace

const Device& open_device_library(const std::string& path, const std::string& version) {
    Opened& all = opened();
    const std::lock_guard lock(all.mutex);
    auto found = all.libraries.find(path);
    if (found == all.libraries.end()) found = all.libraries.emplace(path, &describe(path)).first;
    check_description(*found->second, path, version);
    return *found->second->device;
}

DeviceProbe probe_device(const Device& device) {
    DeviceProbe probe{};
    const Status status = device.probe(device.self, &probe);
    if (status.code != 0) throw Error(ErrorCode::backend, status.message);
    // They come from a library: whatever it wrote, they end.
    for (const auto& [text, size] : {std::pair{probe.name, sizeof(probe.name)},
                                     {probe.driver, sizeof(probe.driver)},
                                     {probe.reason, sizeof(probe.reason)}})
        text[size - 1] = '\0';
    return probe;
}

}  // namespace neox
