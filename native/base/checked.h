// Checked arithmetic for every size that comes from a file or a caller.
#pragma once

#include <cstdint>
#include <limits>

#include "base/error.h"

namespace neox {

// a * b, or ERR_NEOX_FORMAT_OVERFLOW naming `what`.
inline std::uint64_t checked_mul(std::uint64_t a, std::uint64_t b, const char* what) {
    if (b != 0 && a > std::numeric_limits<std::uint64_t>::max() / b)
        fail(ErrorCode::format_overflow, what, ": ", a, " x ", b, " does not fit into 64 bits.");
    return a * b;
}

// a + b, or ERR_NEOX_FORMAT_OVERFLOW naming `what`.
inline std::uint64_t checked_add(std::uint64_t a, std::uint64_t b, const char* what) {
    if (a > std::numeric_limits<std::uint64_t>::max() - b)
        fail(ErrorCode::format_overflow, what, ": ", a, " + ", b, " does not fit into 64 bits.");
    return a + b;
}

// Rounds up to a multiple of `unit` (> 0), or ERR_NEOX_FORMAT_OVERFLOW.
inline std::uint64_t checked_round_up(std::uint64_t value, std::uint64_t unit, const char* what) {
    return checked_add(value, unit - 1, what) / unit * unit;
}

}  // namespace neox
