// Which instruction set runs: a best-first list, the first supported one wins, NEOX_FORCE_ISA overrides.
#pragma once

#include <span>

#include "kernels/kernels.h"

namespace neox {

// Every table that was compiled in, best first; the last is scalar.
std::span<const Kernels* const> all_kernels();
// Those that this machine can run (CPU and operating system), best first.
std::span<const Kernels* const> supported_kernels();

// The table to use: the best one, or the one that NEOX_FORCE_ISA names. Every call reads the environment anew,
// so a caller keeps what it got. An unknown or unsupported name throws ERR_NEOX_ISA and lists what there is.
const Kernels& active_kernels();

// By name, or ERR_NEOX_ISA.
const Kernels& kernels_by_name(const char* name);

}  // namespace neox
