// The intrinsics of cuda/device.cuh for the GPU. The only file with assembler and with CUDA's own names for them.
#pragma once

#include <cuda_fp16.h>

#include <cstddef>
#include <cstdint>

#define NEOX_KERNEL __global__
#define NEOX_DEVICE __device__ __forceinline__
#define NEOX_BOUNDS(threads, blocks) __launch_bounds__(threads, blocks)
#define NEOX_UNROLL _Pragma("unroll")

namespace neox::cuda {

struct Index3 {
    int x, y, z;
};

struct Words4 {
    std::uint32_t x[4];
};

struct Words2 {
    std::uint32_t x[2];
};

NEOX_DEVICE int thread_id() { return static_cast<int>(threadIdx.x); }
NEOX_DEVICE int block_size() { return static_cast<int>(blockDim.x); }
NEOX_DEVICE Index3 block_id() {
    return {static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y), static_cast<int>(blockIdx.z)};
}
NEOX_DEVICE Index3 grid_size() {
    return {static_cast<int>(gridDim.x), static_cast<int>(gridDim.y), static_cast<int>(gridDim.z)};
}
NEOX_DEVICE int lane() { return thread_id() & 31; }
NEOX_DEVICE int warp() { return thread_id() >> 5; }

NEOX_DEVICE std::byte* shared_memory() {
    extern __shared__ __align__(128) unsigned char neox_shared[];
    return reinterpret_cast<std::byte*>(neox_shared);
}

NEOX_DEVICE void sync_block() { __syncthreads(); }
NEOX_DEVICE void sync_warp() { __syncwarp(); }
template <class T> NEOX_DEVICE T shuffle_xor(T value, int mask) {
    static_assert(sizeof(T) == 4);
    return __shfl_xor_sync(0xffffffffu, value, mask);
}
template <class T> NEOX_DEVICE T shuffle(T value, int from_lane) {
    static_assert(sizeof(T) == 4);
    return __shfl_sync(0xffffffffu, value, from_lane);
}
NEOX_DEVICE std::uint32_t warp_ballot(bool value) { return __ballot_sync(0xffffffffu, value); }

NEOX_DEVICE float f16_to_float(std::uint16_t bits) { return __half2float(__ushort_as_half(bits)); }
NEOX_DEVICE float bf16_to_float(std::uint16_t bits) {
    return __uint_as_float(static_cast<std::uint32_t>(bits) << 16);
}
NEOX_DEVICE std::uint16_t float_to_f16(float value) { return __half_as_ushort(__float2half_rn(value)); }

NEOX_DEVICE std::uint32_t pack_f16(float first, float second) {
    std::uint32_t pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
    return pair;
}
NEOX_DEVICE float first_f16(std::uint32_t pair) { return f16_to_float(static_cast<std::uint16_t>(pair)); }
NEOX_DEVICE float second_f16(std::uint32_t pair) {
    return f16_to_float(static_cast<std::uint16_t>(pair >> 16));
}
NEOX_DEVICE std::uint32_t add_f16(std::uint32_t a, std::uint32_t b) {
    std::uint32_t sum;
    asm("add.rn.f16x2 %0, %1, %2;" : "=r"(sum) : "r"(a), "r"(b));
    return sum;
}
NEOX_DEVICE std::uint32_t sub_f16(std::uint32_t a, std::uint32_t b) {
    std::uint32_t difference;
    asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(difference) : "r"(a), "r"(b));
    return difference;
}
NEOX_DEVICE std::uint32_t mul_f16(std::uint32_t a, std::uint32_t b) {
    std::uint32_t product;
    asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(product) : "r"(a), "r"(b));
    return product;
}
NEOX_DEVICE std::uint32_t fma_f16(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    std::uint32_t sum;
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(sum) : "r"(a), "r"(b), "r"(c));
    return sum;
}
// Of each bit of a, b and c the one that `table` has at (a << 2 | b << 1 | c): (a & b) | c is 0xea.
template <int table>
NEOX_DEVICE std::uint32_t select_bits(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    std::uint32_t bits;
    asm("lop3.b32 %0, %1, %2, %3, %4;" : "=r"(bits) : "r"(a), "r"(b), "r"(c), "n"(table));
    return bits;
}
NEOX_DEVICE std::uint32_t permute_bytes(std::uint32_t a, std::uint32_t b, std::uint32_t selector) {
    return __byte_perm(a, b, selector);
}
NEOX_DEVICE int count_bits(std::uint32_t bits) { return __popc(bits); }
NEOX_DEVICE int lowest_bit(std::uint32_t bits) { return __ffs(static_cast<int>(bits)) - 1; }
NEOX_DEVICE std::uint32_t rotate_right(std::uint32_t a, int n) { return __funnelshift_r(a, a, n); }
NEOX_DEVICE float float_of_bits(std::uint32_t bits) { return __uint_as_float(bits); }
NEOX_DEVICE std::uint32_t bits_of_float(float value) { return __float_as_uint(value); }

// volatile: stays where it is written, before a wait for other kernels or behind it.
NEOX_DEVICE Words4 load_16(const void* global) {
    Words4 w;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(w.x[0]), "=r"(w.x[1]), "=r"(w.x[2]), "=r"(w.x[3])
                 : "l"(__cvta_generic_to_global(global)));
    return w;
}
NEOX_DEVICE Words2 load_8(const void* global) {
    Words2 w;
    asm volatile("ld.global.nc.v2.u32 {%0, %1}, [%2];"
                 : "=r"(w.x[0]), "=r"(w.x[1])
                 : "l"(__cvta_generic_to_global(global)));
    return w;
}
NEOX_DEVICE std::uint32_t load_4(const void* global) {
    std::uint32_t word;
    asm volatile("ld.global.nc.u32 %0, [%1];" : "=r"(word) : "l"(__cvta_generic_to_global(global)));
    return word;
}
NEOX_DEVICE std::uint32_t load_2(const void* global) {
    std::uint16_t half;
    asm volatile("ld.global.nc.u16 %0, [%1];" : "=h"(half) : "l"(__cvta_generic_to_global(global)));
    return half;
}
NEOX_DEVICE Words4 load_16_cached(const void* global) {
    Words4 w;
    asm volatile("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(w.x[0]), "=r"(w.x[1]), "=r"(w.x[2]), "=r"(w.x[3])
                 : "l"(__cvta_generic_to_global(global))
                 : "memory");
    return w;
}
NEOX_DEVICE void prefetch(const void* global) {
    asm volatile("prefetch.global.L2 [%0];" ::"l"(__cvta_generic_to_global(global)));
}
NEOX_DEVICE Words4 load_16_shared(const void* shared) {
    const uint4 v = *static_cast<const uint4*>(shared);
    return {{v.x, v.y, v.z, v.w}};
}
NEOX_DEVICE void store_16(void* to, const Words4& words) {
    *static_cast<uint4*>(to) = make_uint4(words.x[0], words.x[1], words.x[2], words.x[3]);
}
NEOX_DEVICE void store_8(void* to, const Words2& words) {
    *static_cast<uint2*>(to) = make_uint2(words.x[0], words.x[1]);
}

NEOX_DEVICE std::uint32_t shared_address(const void* shared) {
    return static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
}
NEOX_DEVICE void cp_async_16_or_zero(void* shared, const void* global, bool is_there) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
                 "l"(__cvta_generic_to_global(global)), "r"(is_there ? 16 : 0)
                 : "memory");
}
NEOX_DEVICE void cp_async_16(void* shared, const void* global) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(shared)),
                 "l"(__cvta_generic_to_global(global))
                 : "memory");
}
NEOX_DEVICE void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int n> NEOX_DEVICE void cp_async_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(n) : "memory");
}

NEOX_DEVICE void ldmatrix_x4(std::uint32_t (&r)[4], const void* shared_row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(shared_row))
                 : "memory");
}
NEOX_DEVICE void ldmatrix_x4_trans(std::uint32_t (&r)[4], const void* shared_row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(shared_row))
                 : "memory");
}
NEOX_DEVICE void ldmatrix_x2(std::uint32_t (&r)[2], const void* shared_row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(shared_address(shared_row))
                 : "memory");
}
NEOX_DEVICE void ldmatrix_x2_trans(std::uint32_t (&r)[2], const void* shared_row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(shared_address(shared_row))
                 : "memory");
}
NEOX_DEVICE void mma_f16(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

NEOX_DEVICE int atomic_add(int* global, int value) { return atomicAdd(global, value); }
NEOX_DEVICE void thread_fence() { __threadfence(); }

// Code for less than compute_90 cannot wait: Stream::launch_kernel() lets no such kernel overlap the one before it, on whichever
// GPU it runs.
NEOX_DEVICE void wait_for_previous_kernel() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
NEOX_DEVICE void let_next_kernel_start() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

NEOX_DEVICE float infinity() { return __uint_as_float(0x7f800000u); }
NEOX_DEVICE float exp2f_(float x) { return exp2f(x); }
NEOX_DEVICE float expf_(float x) { return expf(x); }
NEOX_DEVICE float logf_(float x) { return logf(x); }
NEOX_DEVICE float erff_(float x) { return erff(x); }
NEOX_DEVICE float tanhf_(float x) { return tanhf(x); }
NEOX_DEVICE float sqrtf_(float x) { return __fsqrt_rn(x); }
NEOX_DEVICE float rsqrtf_(float x) { return __fdiv_rn(1.0f, __fsqrt_rn(x)); }
NEOX_DEVICE float fmaf_(float a, float b, float c) { return __fmaf_rn(a, b, c); }
NEOX_DEVICE double exp_(double x) { return exp(x); }
NEOX_DEVICE double log_(double x) { return log(x); }

}  // namespace neox::cuda
