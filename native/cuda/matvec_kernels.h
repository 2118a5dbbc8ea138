// The kernels of cuda/matvec.h, a file of them for a few formats each, so that they compile side by side.
#pragma once

#include <cstddef>

#include "cuda/matvec.h"

namespace neox::cuda {

inline constexpr int kStepGroups = 4;
inline constexpr int kStepColumns = kStepGroups * kGroupColumns;
inline constexpr int kSlices = 8;  // of the columns: the warps of a block
inline constexpr int kTileRows = 16;
inline constexpr int kMatvecThreads = 32 * kSlices;
// Steps kept at once are a multiple of this where they are not all of a slice.
inline constexpr int kKeptUnit = 4;

struct MatvecKernelArgs {
    MatvecArgs a;
    int n_tiles;  // of kTileRows rows of the matrix
    int n_steps;  // of kStepColumns columns
    int n_kept;   // steps of a slice whose activations are kept in shared memory at once
};

// The kernel for some rows; what it needs in shared memory, once and for each row and each step that a slice keeps; and how many
// of its blocks a multiprocessor has registers for.
struct MatvecKernel {
    void (*run)(MatvecKernelArgs);
    std::size_t fixed_bytes, record_bytes;
    int n_blocks;
};

// For up to 1, 4 or 8 rows.
enum class MatvecSize : int { one, four, eight };

MatvecKernel matvec_plain_kernel(DType dtype, MatvecSize size);  // F32, F16, BF16, Q8_0, IQ4_NL
MatvecKernel matvec_small_kernel(DType dtype, MatvecSize size);  // Q4_0, Q4_1, Q5_0, Q5_1
MatvecKernel matvec_k_kernel(DType dtype, MatvecSize size);      // Q2_K to Q6_K

}  // namespace neox::cuda
