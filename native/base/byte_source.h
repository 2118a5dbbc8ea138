// Positioned reads of something with a size, so that a parser of large files is as pure over bytes in memory
// as over a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/error.h"
#include "base/file.h"

namespace neox {

class ByteSource {
public:
    virtual ~ByteSource() = default;
    virtual std::uint64_t size() const = 0;
    // Fills dst from `offset`. Throws ERR_NEOX_FORMAT_TRUNCATED when the source ends before.
    virtual void read_at(std::uint64_t offset, std::span<std::byte> dst) const = 0;
};

// Both refer to what they are made of.
class FileBytes final : public ByteSource {
public:
    explicit FileBytes(const File& file) : file_(file) {}
    std::uint64_t size() const override { return file_.size(); }
    void read_at(std::uint64_t offset, std::span<std::byte> dst) const override {
        file_.read_at(offset, dst);
    }

private:
    const File& file_;
};

class MemoryBytes final : public ByteSource {
public:
    explicit MemoryBytes(std::span<const std::byte> bytes) : bytes_(bytes) {}
    std::uint64_t size() const override { return bytes_.size(); }
    void read_at(std::uint64_t offset, std::span<std::byte> dst) const override {
        if (offset > bytes_.size() || dst.size() > bytes_.size() - offset)
            fail(ErrorCode::format_truncated, "The data ends at byte ", bytes_.size(), ", but ", dst.size(),
                 " bytes were expected at ", offset, ".");
        if (!dst.empty()) std::memcpy(dst.data(), bytes_.data() + offset, dst.size());
    }

private:
    std::span<const std::byte> bytes_;
};

}  // namespace neox
