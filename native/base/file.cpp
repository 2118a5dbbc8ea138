#include "base/file.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/error.h"
#include "base/file_system.h"

namespace neox {
namespace {

// Systems limit one read or write to 2^31 bytes or less.
constexpr std::size_t kLargestTransfer = std::size_t{1} << 26;
constexpr int kMostAttempts = 1000;

std::string temporary_name(const std::string& path) {
    static std::atomic<std::uint32_t> counter{0};
    return text(path, ".", process_id(), "-", counter.fetch_add(1), ".tmp");
}

}  // namespace

File::File(const std::string& path) : path_(path), handle_(open_for_reading(path, identity_)) {}

File::File(File&& other) noexcept
    : path_(std::move(other.path_)), identity_(other.identity_), handle_(std::exchange(other.handle_, -1)) {}

File& File::operator=(File&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(handle_, other.handle_);
    std::swap(identity_, other.identity_);
    return *this;
}

File::~File() {
    if (handle_ != -1) close_handle(handle_);
}

void File::read_at(std::uint64_t offset, std::span<std::byte> dst) const {
    std::uint64_t at = offset;
    while (!dst.empty()) {
        const std::size_t n =
            read_some(handle_, path_, at, dst.first(std::min(dst.size(), kLargestTransfer)));
        if (n == 0)
            fail(ErrorCode::format_truncated, "'", path_, "' ends at byte ", at, ", but ", dst.size(),
                 " more bytes were expected there.");
        at += n;
        dst = dst.subspan(n);
    }
}

OutputFile::OutputFile(const std::string& path) : path_(path) {
    if (path.empty()) fail(ErrorCode::invalid_argument, "The path of the output is empty.");
    if (neox::is_directory(path)) fail(ErrorCode::io, "Cannot write '", path, "': it is a directory.");
    // A process that died may have left a name behind, and its id may come again.
    for (int attempt = 0; handle_ == -1; ++attempt) {
        if (attempt == kMostAttempts)
            fail(ErrorCode::io, "Cannot write '", path, "': ", kMostAttempts,
                 " temporary names beside it are taken.");
        temporary_ = temporary_name(path);
        handle_ = create_new(temporary_);
    }
}

OutputFile::~OutputFile() {
    if (handle_ == -1) return;
    close_handle(handle_);
    remove_file(temporary_);
}

void OutputFile::append(std::span<const std::byte> bytes) {
    write_at(position_, bytes);
    position_ += bytes.size();
}

void OutputFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const std::size_t n =
            write_some(handle_, path_, offset, bytes.first(std::min(bytes.size(), kLargestTransfer)));
        offset += n;
        bytes = bytes.subspan(n);
    }
}

void OutputFile::commit() {
    flush_handle(handle_, path_);
    close_handle(std::exchange(handle_, -1));
    try {
        replace_file(temporary_, path_);
    } catch (...) {
        remove_file(temporary_);
        throw;
    }
}

std::string join_path(const std::string& folder, const std::string& name) {
    if (folder.empty() || is_separator(folder.back())) return folder + name;
    return folder + "/" + name;
}

std::string base_name(const std::string& path) {
    std::size_t end = path.size();
    while (end > 1 && is_separator(path[end - 1])) --end;
    std::size_t begin = end;
    while (begin > 0 && !is_separator(path[begin - 1])) --begin;
    return path.substr(begin, end - begin);
}

std::vector<std::byte> read_file(const std::string& path, std::uint64_t max_bytes) {
    const File file(path);
    if (file.size() > max_bytes)
        fail(ErrorCode::format_limit, "'", path, "' has ", file.size(), " bytes; at most ", max_bytes,
             " are accepted.");
    std::vector<std::byte> bytes(static_cast<std::size_t>(file.size()));
    file.read_at(0, bytes);
    return bytes;
}

std::string read_text_file(const std::string& path, std::uint64_t max_bytes) {
    const std::vector<std::byte> bytes = read_file(path, max_bytes);
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace neox
