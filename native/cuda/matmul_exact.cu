#include "cuda/formats.cuh"
#include "cuda/matmul.h"
#include "cuda/matmul_finish.cuh"

namespace neox::cuda {

namespace {

constexpr int kTokens = 64, kRows = 64;            // of a block
constexpr int kThreadTokens = 8, kThreadRows = 4;  // of a thread
constexpr int kThreads = kTokens / kThreadTokens * (kRows / kThreadRows);
// Shared memory holds 32 columns of the rows, then of the tokens: [column][kPitch]. The pitch is a multiple of four.
constexpr int kPitch = 68;
static_assert(kThreads == kTokens + kRows && kTokens == kRows && kTokens < kPitch);
using Results = ResultTile<kTokens, kRows, kThreads>;
constexpr int kBufferBytes = kGroupColumns * kPitch * 4;
constexpr int kSharedBytes =
    2 * kBufferBytes > Results::kSharedBytes ? 2 * kBufferBytes : Results::kSharedBytes;

struct ExactTask {
    MatrixView weights;
    const float* x;
    std::int64_t x_stride;
    ResultArgs results;
};

// The first half of the threads unpacks a group of a row each, the second copies as much of a token.
template <DType t> NEOX_DEVICE void fill_buffers(const ExactTask& task, int token, int row, int group) {
    const int index = thread_id() % kTokens;
    float values[kGroupColumns];
    if (thread_id() < kRows) {
        const int from = row + index < task.weights.n_rows ? row + index : task.weights.n_rows - 1;
        unpack(load_group<t>(task.weights, from, group), values);
    } else {
        const int from = token + index < task.results.n_tokens ? token + index : task.results.n_tokens - 1;
        const float* x = task.x + from * task.x_stride + group * kGroupColumns;
        NEOX_UNROLL
        for (int i = 0; i < kGroupColumns; i += 4) {
            const Quad quad = load_quad(x + i);
            NEOX_UNROLL
            for (int j = 0; j < 4; ++j) values[i + j] = quad.v[j];
        }
    }
    float* to = shared_as<float>(thread_id() < kRows ? 0 : kBufferBytes) + index;
    NEOX_UNROLL
    for (int i = 0; i < kGroupColumns; ++i) to[i * kPitch] = values[i];
}

template <DType t> NEOX_KERNEL void NEOX_BOUNDS(kThreads, 4) matmul_exact(ExactTask task) {
    const int token = block_id().x * kTokens, row = block_id().y * kRows;
    const int my_token = thread_id() / (kRows / kThreadRows) * kThreadTokens;
    const int my_row = thread_id() % (kRows / kThreadRows) * kThreadRows;
    float totals[kThreadTokens][kThreadRows] = {};
    wait_for_previous_kernel();
    for (int group = 0; group < task.weights.n_cols / kGroupColumns; ++group) {
        sync_block();
        fill_buffers<t>(task, token, row, group);
        sync_block();
        float sums[kThreadTokens][kThreadRows] = {};
        NEOX_UNROLL
        for (int k = 0; k < kGroupColumns; ++k) {
            const Quad w = load_shared_quad(shared_as<float>() + k * kPitch + my_row);
            const float* x = shared_as<float>(kBufferBytes) + k * kPitch + my_token;
            NEOX_UNROLL
            for (int i = 0; i < kThreadTokens; i += 4) {
                const Quad four = load_shared_quad(x + i);
                NEOX_UNROLL
                for (int j = 0; j < 4; ++j) {
                    NEOX_UNROLL
                    for (int r = 0; r < kThreadRows; ++r)
                        sums[i + j][r] = fmaf_(w.v[r], four.v[j], sums[i + j][r]);
                }
            }
        }
        NEOX_UNROLL
        for (int i = 0; i < kThreadTokens; ++i) {
            NEOX_UNROLL
            for (int r = 0; r < kThreadRows; ++r) totals[i][r] += sums[i][r];
        }
    }
    let_next_kernel_start();
    sync_block();
    NEOX_UNROLL
    for (int i = 0; i < kThreadTokens; ++i) {
        const float(&of_token)[kThreadRows] = totals[i];
        store_quad(Results::at(my_token + i, my_row), {{of_token[0], of_token[1], of_token[2], of_token[3]}});
    }
    sync_block();
    Results(task.results, token, row).write();
}

}  // namespace

void launch_matmul_exact(Stream& stream, const MatmulExactArgs& args) {
    const MatrixView& w = args.weights;
    if (args.n_tokens == 0 || w.n_rows == 0) return;
    ExactTask task{w, args.x, args.x_stride, {}};
    task.results = {args.epilogue, nullptr, args.y, args.y_stride, args.n_tokens, w.n_rows,
                    nullptr,       nullptr, 1};
    LaunchShape shape;
    shape.x = (args.n_tokens + kTokens - 1) / kTokens;
    shape.y = (w.n_rows + kRows - 1) / kRows;
    shape.n_threads = kThreads;
    shape.shared_bytes = kSharedBytes;
    shape.may_overlap = true;
    with_format(w.dtype, [&]<DType t>() { stream.launch(matmul_exact<t>, shape, task); });
}

}  // namespace neox::cuda
