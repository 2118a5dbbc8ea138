#include "base/aligned_buffer.h"

#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "check.h"

namespace {

using namespace neox;

constexpr std::size_t kMiB = std::size_t{1} << 20;

template <class T> std::uintptr_t address(const AlignedBuffer<T>& buffer) {
    return reinterpret_cast<std::uintptr_t>(buffer.data());
}

TEST(buffers_of_every_size_are_aligned_and_writable_to_their_end) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{63}, std::size_t{4096}, kMiB / 8 - 1, kMiB / 8,
                                   kMiB / 8 + 1, 2 * kMiB - 1, 2 * kMiB, 2 * kMiB + 1, 5 * kMiB}) {
        AlignedBuffer<std::byte> buffer(size);
        CHECK_EQ(buffer.size(), size);
        CHECK_EQ(address(buffer) % 64, 0u);
#if !defined(_WIN32) && !defined(__SANITIZE_ADDRESS__)
        if (size >= kHugePage) CHECK_EQ(address(buffer) % kHugePage, 0u);
#endif
        std::memset(buffer.data(), 7, size);
        CHECK(buffer[size - 1] == std::byte{7});
    }
    CHECK(AlignedBuffer<float>().data() == nullptr);
    CHECK(AlignedBuffer<float>(0).data() == nullptr);
}

TEST(buffers_move_between_small_and_large) {
    AlignedBuffer<std::int32_t> small(10), large(kMiB);
    small[9] = 1;
    large[kMiB - 1] = 2;
    std::swap(small, large);
    CHECK_EQ(small.size(), kMiB);
    CHECK_EQ(small[kMiB - 1], 2);
    CHECK_EQ(large[9], 1);
    AlignedBuffer<std::int32_t> moved = std::move(small);
    CHECK_EQ(moved[kMiB - 1], 2);
    CHECK(small.data() == nullptr);
    moved = std::move(large);
    CHECK_EQ(moved[9], 1);
    moved.grow(kMiB);
    CHECK_EQ(moved.size(), kMiB);
    const std::int32_t* const data = moved.data();
    moved.grow(kMiB / 2);
    CHECK(moved.data() == data);
    moved.reset(0);
    CHECK(moved.data() == nullptr);
}

#if !defined(__SANITIZE_ADDRESS__)

TEST(a_buffer_beyond_all_memory_is_an_error) {
    for (const std::size_t size : {SIZE_MAX, SIZE_MAX / 8, SIZE_MAX / 8 - kHugePage, std::size_t{1} << 58})
        CHECK_THROWS(AlignedBuffer<double>(size), out_of_memory);
}

#endif

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

std::size_t resident_bytes() {
    std::ifstream in("/proc/self/status");
    for (std::string line; std::getline(in, line);)
        if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6)) * 1024;
    return 0;
}

// An allocator may keep what a thread has freed.
TEST(large_buffers_that_a_thread_has_freed_are_not_resident) {
    std::size_t before = 0, full = 0, after = 0;
    std::thread([&] {
        before = resident_bytes();
        std::vector<AlignedBuffer<std::byte>> buffers;
        for (int i = 0; i < 32; ++i) {
            buffers.emplace_back(kMiB);
            std::memset(buffers.back().data(), 1, kMiB);
        }
        full = resident_bytes();
        buffers.clear();
        after = resident_bytes();
    }).join();
    CHECK(full >= before + 31 * kMiB);
    CHECK(after <= before + 2 * kMiB);
}

#endif

}  // namespace
