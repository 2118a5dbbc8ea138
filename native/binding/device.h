// Devices: what options ask for, and what there is.
#pragma once

#include <string>

#include "binding/napi_setup.h"
#include "model/device_choice.h"

namespace neox {

// { device?, gpuLayers?, cudaLibrary?, cudaAbsence? }; what is not given asks for the CPU.
DeviceRequest read_device_request(Napi::Object options);

// listDevices({ cudaLibrary?, cudaAbsence? }): a promise of [{ device, isUsable, reason, name, driver, totalBytes, freeBytes }].
// Asking a driver takes long at first, so a thread of its own does.
Napi::Value list_devices(const Napi::CallbackInfo& info);

}  // namespace neox
