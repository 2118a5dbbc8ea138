// An owning, 64-byte aligned, uninitialised array of trivially copyable elements. A large one is a mapping of its own, on huge pages
// where the system grants them: freed, its memory is the system's again, on whatever thread that was, and the allocator learns
// nothing from it. (glibc's keeps more at the end of each of its arenas the larger the blocks were that it has freed.)
#pragma once

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <type_traits>
#include <utility>

#if defined(_WIN32)
#include <malloc.h>
#endif

#include "base/error.h"
#include "base/huge_pages.h"
#include "base/page_buffer.h"

namespace neox {

// From how many bytes on. AddressSanitizer sees what is read and written beyond a buffer only where it comes from malloc().
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NEOX_ADDRESS_SANITIZER
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define NEOX_ADDRESS_SANITIZER
#endif
#if defined(NEOX_ADDRESS_SANITIZER)
inline constexpr std::size_t kMappedBytes = std::numeric_limits<std::size_t>::max();
#else
inline constexpr std::size_t kMappedBytes = std::size_t{128} << 10;
#endif

template <class T> class AlignedBuffer {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    AlignedBuffer() = default;
    // Throws ERR_NEOX_OUT_OF_MEMORY. The memory is not touched.
    explicit AlignedBuffer(std::size_t size) { reset(size); }
    AlignedBuffer(AlignedBuffer&& other) noexcept
        : pages_(std::move(other.pages_)), data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)) {}
    AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
        std::swap(pages_, other.pages_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    AlignedBuffer(const AlignedBuffer&) = delete;
    AlignedBuffer& operator=(const AlignedBuffer&) = delete;
    ~AlignedBuffer() { release(); }

    // Replaces the contents by `size` uninitialised elements.
    void reset(std::size_t size) {
        release();
        if (size == 0) return;
        if (size > (std::numeric_limits<std::size_t>::max() - kHugePage) / sizeof(T))
            fail(ErrorCode::out_of_memory, "Cannot allocate ", size, " elements of ", sizeof(T), " bytes.");
        const std::size_t unit = size * sizeof(T) < kHugePage ? 64 : kHugePage;
        const std::size_t bytes = (size * sizeof(T) + unit - 1) / unit * unit;
        if (bytes >= kMappedBytes) {
            pages_ = PageBuffer(bytes, "a buffer");
            data_ = reinterpret_cast<T*>(pages_.data());
        } else {
#if defined(_WIN32)
            data_ = static_cast<T*>(_aligned_malloc(bytes, 64));
#else
            data_ = static_cast<T*>(std::aligned_alloc(64, bytes));
#endif
            if (!data_) fail(ErrorCode::out_of_memory, "Cannot allocate ", bytes, " bytes.");
        }
        size_ = size;
    }
    // Makes room for at least `size` elements; the contents are lost when it grows.
    void grow(std::size_t size) {
        if (size > size_) reset(size);
    }

    T* data() { return data_; }
    const T* data() const { return data_; }
    std::size_t size() const { return size_; }
    T& operator[](std::size_t i) { return data_[i]; }
    const T& operator[](std::size_t i) const { return data_[i]; }

private:
    void release() {
        if (pages_.data() == nullptr) {
#if defined(_WIN32)
            _aligned_free(data_);
#else
            std::free(data_);
#endif
        }
        pages_ = PageBuffer();
        data_ = nullptr;
        size_ = 0;
    }

    PageBuffer pages_;  // of a large one
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace neox
