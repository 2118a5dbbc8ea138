#if defined(_WIN32)

#include "base/file_system.h"

#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

#include <system_error>

#include "base/error.h"
#include "base/file.h"

namespace neox {
namespace {

[[noreturn]] void fail_io(const char* verb, const std::string& path, DWORD error) {
    const ErrorCode code = error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND
                               ? ErrorCode::file_not_found
                               : ErrorCode::io;
    fail(code, "Cannot ", verb, " '", path, "': ", std::system_category().message(static_cast<int>(error)),
         ".");
}

// UTF-8 to UTF-16. Throws ERR_NEOX_IO for a path that is not UTF-8.
std::wstring wide(const std::string& path) {
    if (path.empty()) return {};
    if (path.find('\0') != std::string::npos) fail(ErrorCode::io, "The path has a NUL character.");
    const int size = static_cast<int>(path.size());
    const int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path.data(), size, nullptr, 0);
    if (n <= 0) fail(ErrorCode::io, "The path '", path, "' is not valid UTF-8.");
    std::wstring result(static_cast<std::size_t>(n), L'\0');
    MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path.data(), size, result.data(), n);
    return result;
}

HANDLE as_handle(std::intptr_t handle) { return reinterpret_cast<HANDLE>(handle); }

OVERLAPPED at_offset(std::uint64_t offset) {
    OVERLAPPED overlapped{};
    overlapped.Offset = static_cast<DWORD>(offset);
    overlapped.OffsetHigh = static_cast<DWORD>(offset >> 32);
    return overlapped;
}

std::uint64_t join(DWORD high, DWORD low) { return static_cast<std::uint64_t>(high) << 32 | low; }

DWORD attributes(const std::string& path) noexcept {
    try {
        return GetFileAttributesW(wide(path).c_str());
    } catch (...) {
        return INVALID_FILE_ATTRIBUTES;
    }
}

}  // namespace

std::intptr_t open_for_reading(const std::string& path, FileIdentity& identity) {
    if (neox::is_directory(path)) fail(ErrorCode::io, "Cannot open '", path, "': it is a directory.");
    const HANDLE handle = CreateFileW(wide(path).c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE,
                                      nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
    if (handle == INVALID_HANDLE_VALUE) fail_io("open", path, GetLastError());
    BY_HANDLE_FILE_INFORMATION info{};
    if (GetFileType(handle) != FILE_TYPE_DISK) {
        CloseHandle(handle);
        fail(ErrorCode::io, "Cannot open '", path, "': it is not a regular file.");
    }
    if (!GetFileInformationByHandle(handle, &info)) {
        const DWORD error = GetLastError();
        CloseHandle(handle);
        fail_io("open", path, error);
    }
    identity.device = info.dwVolumeSerialNumber;
    identity.inode = join(info.nFileIndexHigh, info.nFileIndexLow);
    identity.size = join(info.nFileSizeHigh, info.nFileSizeLow);
    identity.mtime = static_cast<std::int64_t>(
        join(info.ftLastWriteTime.dwHighDateTime, info.ftLastWriteTime.dwLowDateTime));
    return reinterpret_cast<std::intptr_t>(handle);
}

std::intptr_t create_new(const std::string& path) {
    const HANDLE handle = CreateFileW(wide(path).c_str(), GENERIC_WRITE, FILE_SHARE_DELETE, nullptr,
                                      CREATE_NEW, FILE_ATTRIBUTE_NORMAL, nullptr);
    if (handle == INVALID_HANDLE_VALUE) {
        const DWORD error = GetLastError();
        if (error == ERROR_FILE_EXISTS || error == ERROR_ALREADY_EXISTS) return -1;
        fail_io("create", path, error);
    }
    return reinterpret_cast<std::intptr_t>(handle);
}

std::size_t read_some(std::intptr_t handle, const std::string& path, std::uint64_t offset,
                      std::span<std::byte> dst) {
    OVERLAPPED overlapped = at_offset(offset);
    DWORD n = 0;
    if (ReadFile(as_handle(handle), dst.data(), static_cast<DWORD>(dst.size()), &n, &overlapped)) return n;
    const DWORD error = GetLastError();
    if (error == ERROR_HANDLE_EOF) return 0;
    fail_io("read", path, error);
}

std::size_t write_some(std::intptr_t handle, const std::string& path, std::uint64_t offset,
                       std::span<const std::byte> src) {
    OVERLAPPED overlapped = at_offset(offset);
    DWORD n = 0;
    if (!WriteFile(as_handle(handle), src.data(), static_cast<DWORD>(src.size()), &n, &overlapped))
        fail_io("write", path, GetLastError());
    if (n == 0) fail(ErrorCode::io, "Cannot write '", path, "': the system wrote nothing.");
    return n;
}

void flush_handle(std::intptr_t handle, const std::string& path) {
    if (!FlushFileBuffers(as_handle(handle))) fail_io("write", path, GetLastError());
}

void close_handle(std::intptr_t handle) noexcept { CloseHandle(as_handle(handle)); }

void replace_file(const std::string& from, const std::string& to) {
    if (!MoveFileExW(wide(from).c_str(), wide(to).c_str(),
                     MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH))
        fail_io("write", to, GetLastError());
}

void remove_file(const std::string& path) noexcept {
    try {
        DeleteFileW(wide(path).c_str());
    } catch (...) {
        // A path that could not be spelt was never created.
        return;
    }
}

bool is_separator(char c) noexcept { return c == '/' || c == '\\'; }

std::uint64_t process_id() noexcept { return GetCurrentProcessId(); }

bool is_directory(const std::string& path) {
    const DWORD found = attributes(path);
    return found != INVALID_FILE_ATTRIBUTES && (found & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

bool is_regular_file(const std::string& path) {
    const DWORD found = attributes(path);
    return found != INVALID_FILE_ATTRIBUTES && (found & FILE_ATTRIBUTE_DIRECTORY) == 0;
}

}  // namespace neox

#endif
