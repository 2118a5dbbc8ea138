// Cached keys moved to lower positions without computing them again, for a context that shifts.
#pragma once

#include <cstdint>

#include "model/forward.h"

namespace neox {

// See Backend::kv_rotate. Turning a key that was rotated to position p back by delta gives the key of position p - delta,
// since rotations about one axis add; what is lost is one more rounding to the cache's type.
void rotate_keys(CpuState& state, const std::int32_t* blocks, std::int32_t n_blocks, std::int32_t delta);

}  // namespace neox
