// The system calls behind base/file.h, one set per system (file_posix.cpp, file_windows.cpp). Errors are
// thrown with the path and the system's reason.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace neox {

struct FileIdentity;

std::intptr_t open_for_reading(const std::string& path, FileIdentity& identity);
// -1 when something has that name already.
std::intptr_t create_new(const std::string& path);
// Bytes transferred; read_some gives 0 at the end of the file. `path` is for the message.
std::size_t read_some(std::intptr_t handle, const std::string& path, std::uint64_t offset,
                      std::span<std::byte> dst);
std::size_t write_some(std::intptr_t handle, const std::string& path, std::uint64_t offset,
                       std::span<const std::byte> src);
void flush_handle(std::intptr_t handle, const std::string& path);
void close_handle(std::intptr_t handle) noexcept;
// Renames over what is there and makes the rename durable.
void replace_file(const std::string& from, const std::string& to);
void remove_file(const std::string& path) noexcept;
bool is_separator(char c) noexcept;
std::uint64_t process_id() noexcept;

}  // namespace neox
