#include "cuda/row_moves.h"

#include "cuda/device.cuh"

namespace neox::cuda {

namespace {

constexpr int kThreads = 256;

// A block takes kThreads columns of a row.
NEOX_KERNEL void gather_kernel(GatherArgs args) {
    let_next_kernel_start();
    wait_for_previous_kernel();
    const std::int64_t column = std::int64_t{block_id().x} * kThreads + thread_id();
    const int i = block_id().y;
    if (column < args.n_cols)
        args.to[i * args.stride + column] = args.from[args.slots[i] * args.stride + column];
}

// A thread takes a column.
NEOX_KERNEL void squares_kernel(SquaresArgs args) {
    let_next_kernel_start();
    wait_for_previous_kernel();
    const std::int64_t column = std::int64_t{block_id().x} * kThreads + thread_id();
    if (column >= args.n_cols) return;
    double sum = args.sums[column];
    for (int i = 0; i < args.n; ++i) {
        const double value = static_cast<double>(args.x[i * args.stride + column]);
        sum += value * value;
    }
    args.sums[column] = sum;
}

int blocks_of(std::int64_t n_cols) { return static_cast<int>((n_cols + kThreads - 1) / kThreads); }

}  // namespace

void launch_gather(Stream& stream, const GatherArgs& args) {
    if (args.n == 0) return;
    stream.launch(gather_kernel,
                  {.x = blocks_of(args.n_cols), .y = args.n, .n_threads = kThreads, .may_overlap = true},
                  args);
}

void launch_squares(Stream& stream, const SquaresArgs& args) {
    if (args.n == 0) return;
    stream.launch(squares_kernel, {.x = blocks_of(args.n_cols), .n_threads = kThreads, .may_overlap = true},
                  args);
}

}  // namespace neox::cuda
