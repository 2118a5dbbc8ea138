// A large anonymous mapping: zero-filled, touched only when used, on huge pages where the system grants them.
#pragma once

#include <cstddef>

namespace neox {

class PageBuffer {
public:
    PageBuffer() = default;
    // Throws ERR_NEOX_OUT_OF_MEMORY. `bytes` may be 0.
    explicit PageBuffer(std::size_t bytes);
    PageBuffer(PageBuffer&& other) noexcept;
    PageBuffer& operator=(PageBuffer&& other) noexcept;
    PageBuffer(const PageBuffer&) = delete;
    PageBuffer& operator=(const PageBuffer&) = delete;
    ~PageBuffer();

    std::byte* data() { return data_; }
    const std::byte* data() const { return data_; }
    std::size_t size() const { return size_; }

private:
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace neox
