// The intrinsics of cuda/device.cuh on the CPU. What whole warps do is a meeting of 32 fibers, which leave what they bring in a
// place of the warp's; results follow from the definitions in the PTX manual (fragments of mma.m16n8k16 and of ldmatrix).
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/half.h"
#include "cuda/host/block.h"

#define NEOX_KERNEL inline
#define NEOX_DEVICE inline
#define NEOX_BOUNDS(threads, blocks)
#define NEOX_UNROLL

namespace neox::cuda {

using emulation::Index3;
using emulation::Words2;
using emulation::Words4;

inline int thread_id() { return emulation::block().thread_id(); }
inline int block_size() { return emulation::block().n_threads(); }
inline Index3 block_id() { return emulation::block().block_id(); }
inline Index3 grid_size() { return emulation::block().grid_size(); }
inline int lane() { return thread_id() & 31; }
inline int warp() { return thread_id() >> 5; }
inline std::byte* shared_memory() { return emulation::block().shared_memory(); }

inline void sync_block() { emulation::block().sync_block(); }
inline void sync_warp() { emulation::block().meet({}); }
template <class T> T shuffle(T value, int from_lane) {
    static_assert(sizeof(T) == 4);
    const Words4* all = emulation::block().meet({{std::bit_cast<std::uint32_t>(value), 0, 0, 0}});
    return std::bit_cast<T>(all[from_lane & 31].x[0]);
}
template <class T> T shuffle_xor(T value, int mask) { return shuffle(value, lane() ^ mask); }
inline std::uint32_t warp_ballot(bool value) {
    const Words4* all = emulation::block().meet({{value ? 1u : 0u, 0, 0, 0}});
    std::uint32_t bits = 0;
    for (int i = 0; i < 32; ++i) bits |= all[i].x[0] << i;
    return bits;
}

inline float f16_to_float(std::uint16_t bits) { return f16_to_f32(bits); }
inline float bf16_to_float(std::uint16_t bits) { return bf16_to_f32(bits); }
inline std::uint16_t float_to_f16(float value) { return f32_to_f16(value); }
inline std::uint32_t pack_f16(float first, float second) {
    return float_to_f16(first) | static_cast<std::uint32_t>(float_to_f16(second)) << 16;
}
inline float first_f16(std::uint32_t pair) { return f16_to_float(static_cast<std::uint16_t>(pair)); }
inline float second_f16(std::uint32_t pair) { return f16_to_float(static_cast<std::uint16_t>(pair >> 16)); }

// Rounds once: the step over f32 is rounded to odd, which a second rounding to fewer bits does not notice.
inline std::uint16_t double_to_f16(double value) {
    float step = static_cast<float>(value);
    if (std::isfinite(step) && static_cast<double>(step) != value) {
        if (std::fabs(static_cast<double>(step)) > std::fabs(value)) step = std::nextafter(step, 0.0f);
        step = std::bit_cast<float>(std::bit_cast<std::uint32_t>(step) | 1u);
    }
    return f32_to_f16(step);
}
template <class F> std::uint32_t each_f16(F&& of_half) {
    return double_to_f16(of_half(first_f16)) | static_cast<std::uint32_t>(double_to_f16(of_half(second_f16)))
                                                   << 16;
}
inline std::uint32_t fma_f16(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    return each_f16([&](auto half) {
        return static_cast<double>(half(a)) * static_cast<double>(half(b)) + static_cast<double>(half(c));
    });
}
inline std::uint32_t add_f16(std::uint32_t a, std::uint32_t b) {
    return each_f16([&](auto half) { return static_cast<double>(half(a)) + static_cast<double>(half(b)); });
}
inline std::uint32_t sub_f16(std::uint32_t a, std::uint32_t b) {
    return each_f16([&](auto half) { return static_cast<double>(half(a)) - static_cast<double>(half(b)); });
}
inline std::uint32_t mul_f16(std::uint32_t a, std::uint32_t b) {
    return each_f16([&](auto half) { return static_cast<double>(half(a)) * static_cast<double>(half(b)); });
}
template <int table> std::uint32_t select_bits(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    std::uint32_t bits = 0;
    for (int i = 0; i < 32; ++i) {
        const std::uint32_t key = (a >> i & 1u) << 2 | (b >> i & 1u) << 1 | (c >> i & 1u);
        bits |= (static_cast<std::uint32_t>(table) >> key & 1u) << i;
    }
    return bits;
}
inline std::uint32_t permute_bytes(std::uint32_t a, std::uint32_t b, std::uint32_t selector) {
    const std::uint64_t both = static_cast<std::uint64_t>(b) << 32 | a;
    std::uint32_t bytes = 0;
    for (int i = 0; i < 4; ++i) {
        const std::uint32_t byte = static_cast<std::uint32_t>(both >> 8 * (selector >> 4 * i & 7u)) & 255u;
        bytes |= byte << 8 * i;
    }
    return bytes;
}
inline int count_bits(std::uint32_t bits) { return std::popcount(bits); }
inline int lowest_bit(std::uint32_t bits) { return std::countr_zero(bits); }
inline std::uint32_t rotate_right(std::uint32_t a, int n) { return std::rotr(a, n); }
inline float float_of_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }
inline std::uint32_t bits_of_float(float value) { return std::bit_cast<std::uint32_t>(value); }

inline Words4 load_16_cached(const void* global) {
    emulation::check_aligned(global, 16, "A load of 16 bytes");
    Words4 words;
    std::memcpy(&words, global, sizeof(words));
    return words;
}
template <class T> T load_aligned(const void* global) {
    emulation::check_aligned(global, sizeof(T), "A load");
    T value;
    std::memcpy(&value, global, sizeof(value));
    return value;
}
inline Words2 load_8(const void* global) { return load_aligned<Words2>(global); }
inline std::uint32_t load_4(const void* global) { return load_aligned<std::uint32_t>(global); }
inline std::uint32_t load_2(const void* global) { return load_aligned<std::uint16_t>(global); }
inline Words4 load_16(const void* global) { return load_16_cached(global); }
inline void prefetch(const void*) {}
inline Words4 load_16_shared(const void* shared) { return load_16_cached(shared); }
inline void store_16(void* to, const Words4& words) {
    emulation::check_aligned(to, 16, "A store of 16 bytes");
    std::memcpy(to, &words, sizeof(words));
}
inline void store_8(void* to, const Words2& words) {
    emulation::check_aligned(to, 8, "A store of 8 bytes");
    std::memcpy(to, &words, sizeof(words));
}

inline void cp_async_16_or_zero(void* shared, const void* global, bool is_there) {
    emulation::check_aligned(global, 16, "The source of a copy of 16 bytes");
    emulation::check_aligned(shared, 16, "The target of a copy of 16 bytes");
    emulation::block().copy_later(shared, is_there ? global : nullptr);
}
inline void cp_async_16(void* shared, const void* global) { cp_async_16_or_zero(shared, global, true); }
inline void cp_async_commit() { emulation::block().commit_copies(); }
template <int n> void cp_async_wait() { emulation::block().finish_copies(n); }

// Of the matrices of 8 rows of 8 halves: this lane's two of matrix `m`.
inline std::uint32_t matrix_pair(const Words4* rows, int m, bool is_transposed) {
    const auto half_at = [&](int row, int column) {
        const void* start;
        std::memcpy(&start, rows[8 * m + row].x, sizeof(start));
        std::uint16_t half;
        std::memcpy(&half, static_cast<const std::byte*>(start) + 2 * column, sizeof(half));
        return static_cast<std::uint32_t>(half);
    };
    const int major = lane() / 4, minor = 2 * (lane() % 4);
    return is_transposed ? half_at(minor, major) | half_at(minor + 1, major) << 16
                         : half_at(major, minor) | half_at(major, minor + 1) << 16;
}
template <int n> void load_matrices(std::uint32_t (&r)[n], const void* shared_row, bool is_transposed) {
    if (lane() < 8 * n) emulation::check_aligned(shared_row, 16, "A row of ldmatrix");
    Words4 row{};
    std::memcpy(row.x, &shared_row, sizeof(shared_row));
    const Words4* rows = emulation::block().meet(row);
    for (int m = 0; m < n; ++m) r[m] = matrix_pair(rows, m, is_transposed);
    sync_warp();  // on the GPU, too, nobody writes there before all have read
}
inline void ldmatrix_x4(std::uint32_t (&r)[4], const void* row) { load_matrices<4>(r, row, false); }
inline void ldmatrix_x4_trans(std::uint32_t (&r)[4], const void* row) { load_matrices<4>(r, row, true); }
inline void ldmatrix_x2(std::uint32_t (&r)[2], const void* row) { load_matrices<2>(r, row, false); }
inline void ldmatrix_x2_trans(std::uint32_t (&r)[2], const void* row) { load_matrices<2>(r, row, true); }

// Better than a GPU, which aligns the products and c to the largest of them and cuts off what is below f32's bits: each sum is off
// by up to a few units of 2^-23 of that largest one, towards zero. Tests that run on both allow for 2^-22 of the magnitudes at least.
inline void mma_f16(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    // A warp's fragments of a [16][16] and b [16][8]: row r of a lies in lanes 4 (r % 8) + i, column n of b in 4 n + i.
    const Words4* as = emulation::block().meet({{a[0], a[1], a[2], a[3]}});
    const Words4* bs = emulation::block().meet({{b[0], b[1], 0, 0}});
    for (int i = 0; i < 4; ++i) {
        const int row = lane() / 4 + 8 * (i / 2), column = 2 * (lane() % 4) + i % 2;
        double sum = 0.0;
        for (int k = 0; k < 16; ++k) {
            const int quarter = k % 8 / 2;
            const std::uint32_t pa = as[4 * (row % 8) + quarter].x[row / 8 + 2 * (k / 8)];
            const std::uint32_t pb = bs[4 * column + quarter].x[k / 8];
            const auto half = k % 2 == 0 ? first_f16 : second_f16;
            sum += static_cast<double>(half(pa)) * static_cast<double>(half(pb));
        }
        c[i] = static_cast<float>(static_cast<double>(c[i]) + sum);
    }
}

// Fibers of one thread run in turn.
inline int atomic_add(int* global, int value) {
    const int before = *global;
    *global += value;
    return before;
}
inline void thread_fence() {}
// Launches run one after another: that a kernel which may overlap waits is checked, not what it does before.
inline void wait_for_previous_kernel() { emulation::block().wait_for_previous_kernel(); }
inline void let_next_kernel_start() {}

inline float infinity() { return std::numeric_limits<float>::infinity(); }
inline float exp2f_(float x) { return std::exp2(x); }
inline float expf_(float x) { return std::exp(x); }
inline float logf_(float x) { return std::log(x); }
inline float erff_(float x) { return std::erf(x); }
inline float tanhf_(float x) { return std::tanh(x); }
inline float sqrtf_(float x) { return std::sqrt(x); }
inline float rsqrtf_(float x) { return 1.0f / std::sqrt(x); }
inline float fmaf_(float a, float b, float c) { return std::fma(a, b, c); }
inline double exp_(double x) { return std::exp(x); }
inline double log_(double x) { return std::log(x); }

}  // namespace neox::cuda
