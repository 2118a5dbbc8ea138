#include "base/huge_pages.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace neox {

void advise_huge_pages([[maybe_unused]] void* data, [[maybe_unused]] std::size_t bytes) {
#if defined(__linux__)
    (void)madvise(data, bytes, MADV_HUGEPAGE);
#endif
}

}  // namespace neox
