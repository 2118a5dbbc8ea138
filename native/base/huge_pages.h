// Pages of 2 MiB, where the system has them and grants them.
#pragma once

#include <cstddef>

namespace neox {

inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

// Best effort, for memory that begins with a page; no harm where it is refused.
void advise_huge_pages(void* data, std::size_t bytes);

}  // namespace neox
