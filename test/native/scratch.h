// A folder that a test may fill; it goes when the test ends.
#pragma once

#include <cstddef>
#include <filesystem>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"

namespace scratch {

class Folder {
public:
    Folder()
        : path_(std::filesystem::temp_directory_path() /
                ("neox-test-" + std::to_string(std::random_device{}()))) {
        std::filesystem::create_directories(path_);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    std::string operator/(const std::string& name) const { return (path_ / name).string(); }
    std::string path() const { return path_.string(); }
    std::size_t n_entries() const {
        const std::filesystem::directory_iterator entries(path_);
        return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
    }

private:
    std::filesystem::path path_;
};

inline void write(const std::string& path, std::span<const std::byte> bytes) {
    neox::OutputFile out(path);
    out.append(bytes);
    out.commit();
}
inline void write(const std::string& path, const std::string& text) { write(path, neox::as_bytes(text)); }

// The first n bytes in a buffer of exactly that size, so that a sanitizer sees a read beyond it.
inline std::vector<std::byte> prefix(std::span<const std::byte> bytes, std::size_t n) {
    std::vector<std::byte> copy(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    copy.shrink_to_fit();
    return copy;
}

}  // namespace scratch
