#if !defined(_WIN32)

#include "base/file_system.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

namespace neox {
namespace {

[[noreturn]] void fail_io(const char* verb, const std::string& path, int error) {
    const ErrorCode code = error == ENOENT || error == ENOTDIR ? ErrorCode::file_not_found : ErrorCode::io;
    fail(code, "Cannot ", verb, " '", path, "': ", std::generic_category().message(error), ".");
}

}  // namespace

std::intptr_t open_for_reading(const std::string& path, FileIdentity& identity) {
    if (path.find('\0') != std::string::npos) fail(ErrorCode::io, "The path has a NUL character.");
    // O_NONBLOCK: opening a FIFO must not wait for a writer; regular files are not affected.
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) fail_io("open", path, errno);
    struct stat status {};
    const char* refusal = nullptr;
    int error = 0;
    if (::fstat(fd, &status) != 0)
        error = errno;
    else if (S_ISDIR(status.st_mode))
        refusal = "it is a directory";
    else if (!S_ISREG(status.st_mode))
        refusal = "it is not a regular file";
    if (error != 0 || refusal) {
        ::close(fd);
        if (error != 0) fail_io("open", path, error);
        fail(ErrorCode::io, "Cannot open '", path, "': ", refusal, ".");
    }
    identity.device = static_cast<std::uint64_t>(status.st_dev);
    identity.inode = static_cast<std::uint64_t>(status.st_ino);
    identity.size = static_cast<std::uint64_t>(status.st_size);
#if defined(__APPLE__)
    const struct timespec& mtime = status.st_mtimespec;
#else
    const struct timespec& mtime = status.st_mtim;
#endif
    identity.mtime = static_cast<std::int64_t>(mtime.tv_sec) * 1'000'000'000 + mtime.tv_nsec;
    return fd;
}

std::intptr_t create_new(const std::string& path) {
    if (path.find('\0') != std::string::npos) fail(ErrorCode::io, "The path has a NUL character.");
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST) return -1;
    if (fd < 0) fail_io("create", path, errno);
    return fd;
}

std::size_t read_some(std::intptr_t handle, const std::string& path, std::uint64_t offset,
                      std::span<std::byte> dst) {
    for (;;) {
        const ssize_t n =
            ::pread(static_cast<int>(handle), dst.data(), dst.size(), static_cast<off_t>(offset));
        if (n >= 0) return static_cast<std::size_t>(n);
        if (errno != EINTR) fail_io("read", path, errno);
    }
}

std::size_t write_some(std::intptr_t handle, const std::string& path, std::uint64_t offset,
                       std::span<const std::byte> src) {
    for (;;) {
        const ssize_t n =
            ::pwrite(static_cast<int>(handle), src.data(), src.size(), static_cast<off_t>(offset));
        if (n > 0) return static_cast<std::size_t>(n);
        if (n == 0) fail(ErrorCode::io, "Cannot write '", path, "': the system wrote nothing.");
        if (errno != EINTR) fail_io("write", path, errno);
    }
}

void flush_handle(std::intptr_t handle, const std::string& path) {
    if (::fsync(static_cast<int>(handle)) != 0) fail_io("write", path, errno);
}

void close_handle(std::intptr_t handle) noexcept { ::close(static_cast<int>(handle)); }

void replace_file(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) fail_io("write", to, errno);
    const std::size_t slash = to.find_last_of('/');
    const std::string folder = slash == std::string::npos ? "." : to.substr(0, slash + 1);
    // Some file systems cannot sync a folder; the data itself is safe by then.
    const int fd = ::open(folder.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (fd < 0) return;
    ::fsync(fd);
    ::close(fd);
}

void remove_file(const std::string& path) noexcept { ::unlink(path.c_str()); }

bool is_separator(char c) noexcept { return c == '/'; }

std::uint64_t process_id() noexcept { return static_cast<std::uint64_t>(::getpid()); }

bool is_directory(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool is_regular_file(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace neox

#endif
