// An owning, 64-byte aligned, uninitialised array of trivially copyable elements; a large one on huge pages where the system grants
// them.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <new>
#include <type_traits>
#include <utility>

#if defined(_WIN32)
#include <malloc.h>
#endif

#include "base/error.h"
#include "base/huge_pages.h"

namespace neox {

template <class T> class AlignedBuffer {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    AlignedBuffer() = default;
    // Throws ERR_NEOX_OUT_OF_MEMORY. The memory is not touched.
    explicit AlignedBuffer(std::size_t size) { reset(size); }
    AlignedBuffer(AlignedBuffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
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
        const std::size_t bytes = (size * sizeof(T) + 63) / 64 * 64;
#if defined(_WIN32)
        data_ = static_cast<T*>(_aligned_malloc(bytes, 64));
#else
        const std::size_t alignment = bytes < kHugePage ? 64 : kHugePage;
        data_ =
            static_cast<T*>(std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment));
        if (data_ && bytes >= kHugePage) advise_huge_pages(data_, bytes);
#endif
        if (!data_) fail(ErrorCode::out_of_memory, "Cannot allocate ", bytes, " bytes.");
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
#if defined(_WIN32)
        _aligned_free(data_);
#else
        std::free(data_);
#endif
        data_ = nullptr;
        size_ = 0;
    }

    T* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace neox
