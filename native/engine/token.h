// A token id.
#pragma once

#include <cstdint>

namespace neox {

using Token = std::int32_t;

}  // namespace neox
