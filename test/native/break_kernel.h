// Takes the body out of one kernel of one instruction set, so that scripts/break_kernels.mjs can show that a test notices.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernels.h"

namespace break_kernel {

// The names of what can be broken in a table: "layer_norm", "attention f16", "matmul Q4_0 q8", ...
std::vector<std::string> names(const neox::Kernels& kernels);

// From now on that function of that table returns zero or nothing and writes nothing. False when there is no such name.
// Once in a process.
bool apply(const neox::Kernels& kernels, const std::string& name);

}  // namespace break_kernel
