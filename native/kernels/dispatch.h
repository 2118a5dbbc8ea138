// Which instruction set runs: a best-first list, the first supported one wins, NEOX_FORCE_ISA overrides.
#pragma once

#include <span>

#include "kernels/kernels.h"

namespace neox {

// Every table that was compiled in, best first; the last is scalar.
std::span<const Kernels* const> all_kernels();
// Those that this machine can run (CPU and operating system), best first.
std::span<const Kernels* const> supported_kernels();

// The table to use, chosen once. NEOX_FORCE_ISA names one; an unknown or unsupported name throws ERR_NEOX_ISA and lists
// what there is (on every call, so that a bad value is never taken silently).
const Kernels& active_kernels();

// By name, or ERR_NEOX_ISA.
const Kernels& kernels_by_name(const char* name);

}  // namespace neox
