// What this machine can do at best, measured in this process: the yardsticks that a benchmark reports beside its figures.
#pragma once

#include "base/thread_pool.h"
#include "kernels/kernels.h"

namespace neox {

struct Ceilings {
    double read_gb_per_s;  // best of several passes over a buffer far larger than the last-level cache
    double
        int8_gop_per_s;  // int8 multiply-adds x 2, of the instruction that the matrix kernels use; 0 for scalar
    double int16_gop_per_s;  // likewise of 16-bit integers; 0 where the kernels have no such products
    double f32_gflop_per_s;
};

// Takes about `seconds` (0.1 to 10) in all and `read_bytes` of memory (>= 64 MiB), freed before it returns.
Ceilings measure_ceilings(ThreadPool& pool, const Kernels& kernels, double seconds, std::size_t read_bytes);

}  // namespace neox
