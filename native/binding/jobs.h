// Whole-file jobs: convert, quantize, synth.
#pragma once

#include "binding/napi_setup.h"

namespace neox {

// Adds the jobs to the addon's exports. Each takes (options, onProgress?) and gives { promise, cancel() }.
void define_jobs(Napi::Env env, Napi::Object exports);

}  // namespace neox
