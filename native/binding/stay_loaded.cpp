#include "binding/stay_loaded.h"

#if defined(__APPLE__)
#include <dlfcn.h>
#endif

namespace neox {

#if defined(__APPLE__)
bool stay_loaded() noexcept {
    Dl_info self{};
    if (dladdr(reinterpret_cast<const void*>(&stay_loaded), &self) == 0) return false;
    // The handle is not closed, which keeps it loaded once more.
    return dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE) != nullptr;
}
#else
bool stay_loaded() noexcept { return true; }
#endif

}  // namespace neox
