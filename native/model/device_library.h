// Devices that come as a shared library (model/device_interface.h).
#pragma once

#include <string>

#include "model/backend.h"

namespace neox {

// The device of the library with this absolute path, made for package version `version`. Opened once per process and never
// closed; any thread. Throws ERR_NEOX_BACKEND with the reason: no such file, the loader's own words, no device library,
// another version or build.
const Device& open_device_library(const std::string& path, const std::string& version);

// What the device says; ERR_NEOX_BACKEND where it cannot even be asked. That it cannot be used is no error here.
DeviceProbe probe_device(const Device& device);

}  // namespace neox
