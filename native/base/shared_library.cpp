#include "base/shared_library.h"

#include <cstddef>
#include <system_error>

#include "base/error.h"
#include "base/file.h"

#if defined(_WIN32)
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace neox {

namespace {

[[noreturn]] void fail_to_load(const std::string& path, const std::string& reason) {
    fail(ErrorCode::backend, "The library '", path, "' cannot be loaded: ", reason);
}

#if defined(_WIN32)

bool is_absolute(const std::string& path) {
    const bool has_drive = path.size() > 2 && path[1] == ':' && (path[2] == '\\' || path[2] == '/');
    return has_drive || path.rfind("\\\\", 0) == 0;
}

void* load(const std::string& path) {
    const int size = static_cast<int>(path.size());
    const int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path.data(), size, nullptr, 0);
    if (n <= 0) fail_to_load(path, "its name is not UTF-8.");
    std::wstring name(static_cast<std::size_t>(n), L'\0');
    MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path.data(), size, name.data(), n);
    for (wchar_t& c : name)
        if (c == L'/') c = L'\\';
    // What it needs is looked for beside it and in the system's folder, never in the current one.
    const HMODULE handle = LoadLibraryExW(name.c_str(), nullptr,
                                          LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32);
    if (!handle) fail_to_load(path, std::system_category().message(static_cast<int>(GetLastError())));
    return handle;
}

void* find_symbol(void* handle, const char* name) {
    const FARPROC found = GetProcAddress(static_cast<HMODULE>(handle), name);
    return reinterpret_cast<void*>(found);
}

#else

bool is_absolute(const std::string& path) { return !path.empty() && path[0] == '/'; }

void* load(const std::string& path) {
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char* reason = dlerror();
        fail_to_load(path, reason ? reason : "the loader gives no reason.");
    }
    return handle;
}

void* find_symbol(void* handle, const char* name) { return dlsym(handle, name); }

#endif

}  // namespace

SharedLibrary::SharedLibrary(const std::string& path) {
    if (!is_absolute(path))
        fail(ErrorCode::backend, "The library '", path, "' must be named by an absolute path.");
    try {
        const File file(path);
    } catch (const Error& error) {
        fail(ErrorCode::backend, error.what());
    }
    handle_ = load(path);
}

void* SharedLibrary::find(const char* name) const noexcept { return find_symbol(handle_, name); }

}  // namespace neox
