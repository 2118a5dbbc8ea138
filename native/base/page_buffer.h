// A large anonymous mapping, zero-filled; a page takes memory once it is touched, and all of it goes back to the system at the end,
// which an allocator leaves open. On huge pages where it is large enough and the system grants them.
#pragma once

#include <cstddef>

namespace neox {

enum class PageUse {
    filled,  // all of it soon
    lazy,    // perhaps never all of it: may exceed the machine's memory
};

class PageBuffer {
public:
    PageBuffer() = default;
    // `what` it is for completes the message of ERR_NEOX_OUT_OF_MEMORY. `bytes` may be 0.
    PageBuffer(std::size_t bytes, const char* what, PageUse use = PageUse::filled);
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
