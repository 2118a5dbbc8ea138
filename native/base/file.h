// Files: positioned reads of an input, and an output that appears under its name only when it is complete.
// Paths are UTF-8 on every system.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace neox {

// Which file, in which state: equal identities mean equal contents as far as the system can tell.
struct FileIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t mtime = 0;  // in the system's finest unit
    auto operator<=>(const FileIdentity&) const = default;
};

// A regular file open for reading. Reads are positioned, so one File serves several threads at once.
class File {
public:
    // Throws ERR_NEOX_FILE_NOT_FOUND, or ERR_NEOX_IO with the reason (a directory or a device is refused).
    explicit File(const std::string& path);
    File(File&& other) noexcept;
    File& operator=(File&& other) noexcept;
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File();

    const std::string& path() const { return path_; }
    std::uint64_t size() const { return identity_.size; }  // when it was opened
    const FileIdentity& identity() const { return identity_; }

    // Fills dst from `offset`. Throws ERR_NEOX_FORMAT_TRUNCATED when the file ends before, ERR_NEOX_IO
    // otherwise.
    void read_at(std::uint64_t offset, std::span<std::byte> dst) const;

private:
    std::string path_;
    FileIdentity identity_;  // before handle_: opening fills it
    std::intptr_t handle_ = -1;
};

// Writes to a temporary name beside `path`. commit() makes it durable and gives it its name, replacing what
// was there; without commit() the destructor removes it.
class OutputFile {
public:
    explicit OutputFile(
        const std::string& path);  // throws ERR_NEOX_IO, ERR_NEOX_FILE_NOT_FOUND (no such folder)
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;
    ~OutputFile();

    const std::string& path() const { return path_; }
    std::uint64_t position() const { return position_; }  // where append() writes next

    void append(std::span<const std::byte> bytes);                          // throws ERR_NEOX_IO
    void write_at(std::uint64_t offset, std::span<const std::byte> bytes);  // throws ERR_NEOX_IO
    void commit();                                                          // throws ERR_NEOX_IO

private:
    std::string path_;
    std::string temporary_;
    std::intptr_t handle_ = -1;
    std::uint64_t position_ = 0;
};

// False also when nothing is there or it cannot be asked.
bool is_directory(const std::string& path);
bool is_regular_file(const std::string& path);

std::string join_path(const std::string& folder, const std::string& name);
// The last part of a path, without trailing separators: "a/b/" -> "b".
std::string base_name(const std::string& path);

// The whole of a small file. Throws ERR_NEOX_FORMAT_LIMIT beyond max_bytes.
std::vector<std::byte> read_file(const std::string& path, std::uint64_t max_bytes);
std::string read_text_file(const std::string& path, std::uint64_t max_bytes);

inline std::span<const std::byte> as_bytes(const std::string& text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace neox
