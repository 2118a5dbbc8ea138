// The language in which the kernels are written: every intrinsic of the GPU that they use, under a name of its own, twice. nvcc
// takes cuda/device_gpu.cuh; a C++ compiler takes cuda/host/device_emulated.h, under which the same kernels run on the CPU, a
// block after another, its threads as fibers, so that their results can be tested where there is no GPU.
//
// Rules that make both worlds agree. The emulation checks them, but for the last:
//   - a kernel takes one plain struct by value: NEOX_KERNEL void name(Args args);
//   - a block has a multiple of 32 threads, and whole warps call the functions marked "warp";
//   - every thread of a block reaches the same sync_block()s, and none has ended before;
//   - shared memory is dynamic and holds nothing of use at first (the emulation fills it with NaN);
//   - every thread of a launch that may overlap waits for the previous kernel: so its end is the end of all before it, too;
//   - what a kernel reads of other kernels' results, and what it writes, stands behind that wait. In the emulation kernels run one
//     after another, and it would not show.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__CUDACC__)
#include "cuda/device_gpu.cuh"
#else
#include "cuda/host/device_emulated.h"
#endif

// Both files define, in namespace neox::cuda:
//
//   NEOX_KERNEL, NEOX_DEVICE              before a kernel; before a function that kernels call
//   NEOX_BOUNDS(threads, blocks)          behind NEOX_KERNEL void: threads of a block, blocks on a multiprocessor at least
//   NEOX_UNROLL                           before a loop that is to be unrolled
//
//   Index3 { int x, y, z }
//   int thread_id(), block_size()         blocks have one dimension
//   Index3 block_id(), grid_size()
//   int lane(), warp()                    thread_id() % 32, thread_id() / 32
//   std::byte* shared_memory()            as many bytes as the launch asked for, aligned to 128
//
//   void sync_block()
//   void sync_warp()                                       warp
//   T shuffle_xor(T value, int mask)                       warp; T of 4 bytes
//   T shuffle(T value, int from_lane)                      warp; T of 4 bytes
//   std::uint32_t warp_ballot(bool)                             warp
//
//   float f16_to_float(std::uint16_t), bf16_to_float(std::uint16_t)
//   std::uint16_t float_to_f16(float)                      to nearest, ties to even; beyond 65504: infinity
//   Pairs of f16 in a word, the first in its low half:
//   std::uint32_t pack_f16(float first, float second); float first_f16(std::uint32_t), second_f16(std::uint32_t)
//   std::uint32_t add_f16(a, b), sub_f16(a, b), mul_f16(a, b), fma_f16(a, b, c)      each rounded once
//   std::uint32_t select_bits(a, b, c, table)              bit by bit (lop3): table<kind>, see below
//   std::uint32_t permute_bytes(a, b, selector)            byte i is byte (selector >> 4 i & 7) of a, b
//   int count_bits(std::uint32_t), lowest_bit(std::uint32_t)      ones; the place of the lowest of them, where there is one
//   std::uint32_t rotate_right(a, n)                       0 <= n < 32
//   float float_of_bits(std::uint32_t); std::uint32_t bits_of_float(float)
//
//   Words4 { std::uint32_t x[4] }
//   Words4 load_16(const void* global)                     read once and by nobody else: past the first cache
//   Words4 load_16_cached(const void* global)
//   Words2 { std::uint32_t x[2] }
//   Words2 load_8(const void* global); std::uint32_t load_4(...), load_2(...)     of memory that kernels only read
//   void prefetch(const void* global)                      its line of 128 bytes on the way to the second cache; no more than a hint
//   Words4 load_16_shared(const void* shared)
//   void store_16(void* to, Words4), store_8(void* to, Words2)                        either memory
//   void cp_async_16(void* shared, const void* global); cp_async_commit(); cp_async_wait<N>()
//     The 16 bytes are there for this thread once all but the last N groups that it committed are waited for; for others
//     behind a barrier after that.
//   void cp_async_16_or_zero(void* shared, const void* global, bool is_there)         zeros where it is not
//
//   void ldmatrix_x4(std::uint32_t (&r)[4], const void* shared_row)        warp; lane 8 m + i gives row i of matrix m
//   void ldmatrix_x4_trans(...)                                             the same, each matrix transposed
//   void ldmatrix_x2(std::uint32_t (&r)[2], ...), ldmatrix_x2_trans         lanes 0 to 15 give the rows
//   void mma_f16(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2])   warp
//     c += a b, [16, 8] = [16, 16] [16, 8], in the fragments of PTX's mma.m16n8k16; sums in f32, of which a GPU cuts off what is
//     below the bits of the largest term.
//
//   int atomic_add(int* global, int value)                 the value before
//   void thread_fence()                                    what was written before is seen by others first
//   void wait_for_previous_kernel()      until the kernels before it in the stream have ended, and what they wrote is seen
//   void let_next_kernel_start()         a launch that allows it may begin, up to its own wait
//
//   float infinity()
//   float exp2f_(float), expf_(float), logf_(float), erff_(float), tanhf_(float), sqrtf_(float), rsqrtf_(float), fmaf_(a, b, c)
//   double exp_(double), log_(double)
//     To the last place or two of the type; rsqrtf_ is 1 / sqrt rounded twice, not the approximation.

namespace neox::cuda {

// The sum over the warp, the same bits in every lane: its order is that of a tree, whatever the values.
NEOX_DEVICE float warp_sum(float value) {
    NEOX_UNROLL
    for (int mask = 16; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
    return value;
}

NEOX_DEVICE float warp_max(float value) {
    NEOX_UNROLL
    for (int mask = 16; mask > 0; mask /= 2) {
        const float other = shuffle_xor(value, mask);
        value = other > value ? other : value;
    }
    return value;
}

// 2^(exponent - 127) and its inverse. Both are normal: the exponent is one from 1 to 253.
struct PowerOfTwo {
    float value, inverse;
};
NEOX_DEVICE PowerOfTwo power_of_two(int exponent) {
    return {float_of_bits(static_cast<std::uint32_t>(exponent) << 23),
            float_of_bits(static_cast<std::uint32_t>(254 - exponent) << 23)};
}

// Shared memory as an array that begins `offset` bytes in.
template <class T> NEOX_DEVICE T* shared_as(std::size_t offset = 0) {
    return reinterpret_cast<T*>(shared_memory() + offset);
}

}  // namespace neox::cuda
