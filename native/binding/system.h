// What this machine and this build are, and what the machine can do at best.
#pragma once

#include "binding/napi_setup.h"

namespace neox {

// systemInfo(): { version, isa, supportedIsas, threads }. ERR_NEOX_ISA when NEOX_FORCE_ISA names none that works here.
Napi::Value system_info(const Napi::CallbackInfo& info);
// measureCeilings({ threads, seconds, readBytes }): a promise of { readGbPerS, int8GopPerS, int16GopPerS, f32GflopPerS }.
Napi::Value measure_ceilings_task(const Napi::CallbackInfo& info);

}  // namespace neox
