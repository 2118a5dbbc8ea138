// Windows: the addon stays in memory once it is loaded, and finds the functions of Node-API in the program that loads it,
// whatever that is called: node.exe, electron.exe or the name of an application.
#if defined(_WIN32)

#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

#if defined(NEOX_NODE_API_FUNCTIONS)
// A call of a dllimport function goes through a pointer called __imp_<name>. With an import library the system would fill it,
// from a file called node.exe; here it is filled from the process, as a delay-load hook would do with Microsoft's linker.
#define NEOX_FUNCTION(name)                                                                                  \
    extern "C" FARPROC __imp_##name;                                                                         \
    FARPROC __imp_##name = nullptr;
#include NEOX_NODE_API_FUNCTIONS
#undef NEOX_FUNCTION
#endif

namespace {

#if defined(NEOX_NODE_API_FUNCTIONS)
struct Function {
    const char* name;
    FARPROC* pointer;
};

constexpr Function kFunctions[] = {
#define NEOX_FUNCTION(name) {#name, &__imp_##name},
#include NEOX_NODE_API_FUNCTIONS
#undef NEOX_FUNCTION
};

// The program itself; one that embeds Node may have it in a library.
constexpr const wchar_t* kModules[] = {nullptr, L"node.dll", L"libnode.dll", L"nw.dll"};

HMODULE node_module() {
    for (const wchar_t* name : kModules) {
        const HMODULE candidate = GetModuleHandleW(name);
        if (candidate && GetProcAddress(candidate, kFunctions[0].name)) return candidate;
    }
    return nullptr;
}

bool find_functions() {
    const HMODULE node = node_module();
    if (!node) return false;
    for (const Function& function : kFunctions) {
        *function.pointer = GetProcAddress(node, function.name);
        if (!*function.pointer) return false;
    }
    return true;
}
#else
bool find_functions() { return true; }
#endif

// Threads of ours may still run when Node unloads addons.
bool pin(HINSTANCE self) {
    HMODULE pinned = nullptr;
    return GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                              reinterpret_cast<LPCWSTR>(self), &pinned) != 0;
}

}  // namespace

// FALSE makes the load fail with an error that Node reports.
extern "C" BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID) {
    return reason != DLL_PROCESS_ATTACH || (find_functions() && pin(self)) ? TRUE : FALSE;
}

#endif
