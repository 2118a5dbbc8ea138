// collectImportance(): the importance matrix of a model, as a job.
#pragma once

#include "binding/napi_setup.h"

namespace neox {

void define_imatrix(Napi::Env env, Napi::Object exports);

}  // namespace neox
