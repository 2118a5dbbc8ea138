// inspect(): what a checkpoint holds, from its headers alone.
#pragma once

#include "binding/napi_setup.h"

namespace neox {

// inspect(path, options): a promise of config, origins, tensors, texts and the memory that loading would take.
Napi::Value inspect(const Napi::CallbackInfo& info);

}  // namespace neox
