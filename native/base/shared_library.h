// Opening a shared library while the program runs.
#pragma once

#include <string>

namespace neox {

// Loads the library of this absolute path with what it needs, its symbols seen by nobody else. It is never unloaded: threads
// of its own may run while the process ends. Throws ERR_NEOX_BACKEND: no absolute path, no such file, or what the system's
// loader says.
class SharedLibrary {
public:
    explicit SharedLibrary(const std::string& path);

    // The address of an exported function; null: there is none.
    void* find(const char* name) const noexcept;

private:
    void* handle_ = nullptr;
};

}  // namespace neox
