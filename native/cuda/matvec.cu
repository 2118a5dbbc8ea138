#include "cuda/matvec.h"

#include <algorithm>

#include "base/error.h"
#include "cuda/matvec_kernels.h"

namespace neox::cuda {

namespace {

// Of shared memory: what a multiprocessor takes from each block for itself.
constexpr std::size_t kBlockOverhead = 1024;

MatvecKernel find_kernel(DType dtype, MatvecSize size) {
    switch (dtype) {
        case DType::Q4_0:
        case DType::Q4_1:
        case DType::Q5_0:
        case DType::Q5_1: return matvec_small_kernel(dtype, size);
        case DType::Q2_K:
        case DType::Q3_K:
        case DType::Q4_K:
        case DType::Q5_K:
        case DType::Q6_K: return matvec_k_kernel(dtype, size);
        default: return matvec_plain_kernel(dtype, size);
    }
}

MatvecKernel kernel_for(DType dtype, int n) {
    return find_kernel(dtype, n == 1 ? MatvecSize::one : n <= 4 ? MatvecSize::four : MatvecSize::eight);
}

std::size_t shared_bytes(const MatvecKernel& kernel, int n, int n_kept) {
    return kernel.fixed_bytes + kernel.record_bytes * static_cast<std::size_t>(n * n_kept * kSlices);
}

// A launch for the first rows that are left.
struct Cut {
    int n;
    int n_kept;
    MatvecKernel kernel;
};

// As many rows as shared memory has room for. A single row of more columns than that comes in parts, again for each tile.
Cut cut_rows(const MatvecArgs& a, int n_left, int n_slice_steps) {
    for (int n = std::min(n_left, kMatvecRows); n > 0; --n) {
        const MatvecKernel kernel = kernel_for(a.w.dtype, n);
        if (shared_bytes(kernel, n, n_slice_steps) <= a.shared_bytes) return {n, n_slice_steps, kernel};
    }
    const MatvecKernel kernel = kernel_for(a.w.dtype, 1);
    int n_kept = n_slice_steps / kKeptUnit * kKeptUnit;
    while (n_kept > kKeptUnit && shared_bytes(kernel, 1, n_kept) > a.shared_bytes) n_kept -= kKeptUnit;
    return {1, n_kept, kernel};
}

// Every block has as many tiles as the others, but for the last.
int n_blocks(const MatvecArgs& a, const MatvecKernel& kernel, int n_tiles, std::size_t block_bytes) {
    const auto by_memory =
        static_cast<int>((a.shared_bytes + kBlockOverhead) / (block_bytes + kBlockOverhead));
    const int at_once = a.n_multiprocessors * std::clamp(by_memory, 1, kernel.n_blocks);
    const int n_turns = (n_tiles + at_once - 1) / at_once;
    return (n_tiles + n_turns - 1) / n_turns;
}

}  // namespace

void launch_matvec(Stream& stream, const MatvecArgs& args) {
    MatvecKernelArgs k{args, (args.w.n_rows + kTileRows - 1) / kTileRows,
                       (args.w.n_cols + kStepColumns - 1) / kStepColumns, 0};
    const int n_slice_steps = (k.n_steps + kSlices - 1) / kSlices;
    for (int done = 0; done < args.n;) {
        const Cut cut = cut_rows(args, args.n - done, n_slice_steps);
        k.a.n = cut.n;
        k.a.x = args.x + done * args.x_stride;
        k.a.y = args.y + done * args.y_stride;
        if (args.epilogue.residual)
            k.a.epilogue.residual = args.epilogue.residual + done * args.epilogue.residual_stride;
        k.n_kept = cut.n_kept;
        LaunchShape shape;
        shape.n_threads = kMatvecThreads;
        shape.shared_bytes = shared_bytes(cut.kernel, cut.n, cut.n_kept);
        shape.x = n_blocks(args, cut.kernel, k.n_tiles, shape.shared_bytes);
        shape.may_overlap = true;
        stream.launch(cut.kernel.run, shape, k);
        done += cut.n;
    }
}

}  // namespace neox::cuda
