// The one function that the device library exports.
#include "cuda/cuda_device.h"
#include "model/device_interface.h"

NEOX_DEVICE_EXPORT const neox::DeviceLibrary* neox_device_library() {
    static const neox::DeviceLibrary library =
        neox::describe_device_library(neox::cuda::cuda_device(), NEOX_VERSION);
    return &library;
}
