// A block's share of a product on the tensor cores, for every format.
//
// Weights go from memory into registers some steps ahead, become f16, and lie in shared memory for one step; activations (and
// weights that are f16 already) are copied there by cp.async. One barrier per step: while a step is multiplied, the next one's
// weights are unpacked into the other buffer.
#pragma once

#include "cuda/formats.cuh"
#include "cuda/matmul.h"
#include "cuda/matmul_finish.cuh"

namespace neox::cuda {

// kTokens x kRows results of a block, of which each warp has kWarpTokens x kWarpRows; kCols columns in a step; registers hold
// kAhead steps of weights, shared memory kStages of activations; kBlocks blocks are to fit on a multiprocessor.
template <int tokens, int rows, int cols, int warp_tokens, int warp_rows, int ahead, int stages, int blocks>
struct TileShape {
    static constexpr int kTokens = tokens, kRows = rows, kCols = cols, kWarpTokens = warp_tokens,
                         kWarpRows = warp_rows, kAhead = ahead, kStages = stages, kBlocks = blocks;
    static constexpr int kThreads = tokens / warp_tokens * (rows / warp_rows) * 32;
};
using Tile16 = TileShape<16, 32, 128, 16, 8, 3, 3, 4>;
using Tile64 = TileShape<64, 32, 128, 32, 16, 2, 2, 3>;
using Tile128 = TileShape<128, 128, 64, 64, 64, 1, 3, 2>;

struct MatmulTask {
    MatrixView weights;
    const std::uint16_t* x;
    std::int64_t x_stride;
    int segment_cols;
    ResultArgs results;
};

template <DType t, class Shape> class MatmulBlock {
public:
    static constexpr bool kIsCopied = t == DType::F16;  // weights by cp.async
    static constexpr int kWeightBytes = Shape::kRows * Shape::kCols * 2;
    static constexpr int kTokenBytes = Shape::kTokens * Shape::kCols * 2;
    static constexpr int kWeightBuffers = kIsCopied ? Shape::kStages : 2;
    using Results = ResultTile<Shape::kTokens, Shape::kRows, Shape::kThreads>;
    static constexpr int kPipelineBytes = kWeightBuffers * kWeightBytes + Shape::kStages * kTokenBytes;
    static constexpr int kSharedBytes =
        kPipelineBytes > Results::kSharedBytes ? kPipelineBytes : Results::kSharedBytes;
    static_assert(kSharedBytes <= kLeastSharedBytes);

    NEOX_DEVICE explicit MatmulBlock(const MatmulTask& task)
        : a_(task), token_(block_id().x * Shape::kTokens), row_(block_id().y * Shape::kRows),
          begin_(block_id().z * task.segment_cols) {
        const int end = begin_ + task.segment_cols;
        end_ = end < task.weights.n_cols ? end : task.weights.n_cols;
        n_steps_ = (end_ - begin_ + Shape::kCols - 1) / Shape::kCols;
    }

    NEOX_DEVICE void run() {
        // Weights are older than any kernel.
        if constexpr (!kIsCopied && !kIsLate) {
            NEOX_UNROLL
            for (int step = 0; step < kRing; ++step) {
                NEOX_UNROLL
                for (int i = 0; i < kThreadGroups; ++i) ring_[step][i] = load(step, i);
            }
        }
        wait_for_previous_kernel();
        NEOX_UNROLL
        for (int i = 0; i < Shape::kStages - 1; ++i) copy(i);
        unpack_all(0, 0);
        for (int step = 0; step < n_steps_; step += kRing) {
            NEOX_UNROLL
            for (int i = 0; i < kRing; ++i)
                if (step + i < n_steps_) advance(step + i, (i + 1) % kRing);
        }
        cp_async_wait<0>();
        let_next_kernel_start();
        finish();
    }

private:
    // F32 would fill the registers.
    static constexpr int kRing = kIsCopied || t == DType::F32 ? 1 : Shape::kAhead;
    static constexpr int kGroups = Shape::kCols / kGroupColumns;   // of a row in a step
    static constexpr int kRowsAtOnce = Shape::kThreads / kGroups;  // one group for each thread
    static constexpr int kThreadGroups = Shape::kRows / kRowsAtOnce;
    static constexpr int kPieces = Shape::kCols / 8;  // of 16 bytes in a row of f16
    static constexpr int kTokensAtOnce = Shape::kThreads / kPieces;
    static constexpr int kM = Shape::kWarpTokens / 16, kN = Shape::kWarpRows / 8;
    static constexpr int kWarpsOfTokens = Shape::kTokens / Shape::kWarpTokens;
    // With two groups of it, it is loaded where it is needed.
    static constexpr bool kIsLate = t == DType::F32 && kThreadGroups > 1;
    static_assert(Shape::kRows % kRowsAtOnce == 0 && Shape::kTokens % kTokensAtOnce == 0 && kN <= 8 &&
                  128 % Shape::kCols == 0);

    // Where a piece of 16 bytes of a row of a buffer lies, in bytes. Pieces change places within 128 bytes by row, so that
    // neither eight rows' pieces nor what eight threads unpack at a time fall into the same banks.
    NEOX_DEVICE static int place(int row, int piece) {
        return row * (Shape::kCols * 2) + (piece ^ (row & 7) ^ (piece >> 3 << 1)) * 16;
    }
    NEOX_DEVICE static std::byte* weight_buffer(int step) {
        return shared_memory() + step % kWeightBuffers * kWeightBytes;
    }
    NEOX_DEVICE static std::byte* token_buffer(int step) {
        return shared_memory() + kWeightBuffers * kWeightBytes + step % Shape::kStages * kTokenBytes;
    }
    NEOX_DEVICE int column(int step) const { return begin_ + step * Shape::kCols; }
    // Rows and tokens behind the last repeat it: their results are not stored.
    NEOX_DEVICE int weight_row(int row) const {
        return row_ + row < a_.weights.n_rows ? row_ + row : a_.weights.n_rows - 1;
    }
    NEOX_DEVICE int token_row(int token) const {
        return token_ + token < a_.results.n_tokens ? token_ + token : a_.results.n_tokens - 1;
    }

    // Activations of a step, and weights that are copied.
    NEOX_DEVICE void copy(int step) {
        const int piece = thread_id() % kPieces, first = thread_id() / kPieces;
        const int col = column(step) + 8 * piece;
        if (step < n_steps_ && col < end_) {
            NEOX_UNROLL
            for (int i = 0; i < Shape::kTokens; i += kTokensAtOnce)
                cp_async_16(token_buffer(step) + place(first + i, piece),
                            a_.x + token_row(first + i) * a_.x_stride + col);
            if constexpr (kIsCopied) {
                NEOX_UNROLL
                for (int i = 0; i < Shape::kRows; i += kTokensAtOnce) {
                    const int chunk = weight_row(first + i) * a_.weights.row_chunks + col / kChunkColumns;
                    cp_async_16(
                        weight_buffer(step) + place(first + i, piece),
                        code_piece<t>(a_.weights, chunk, col / kGroupColumns % kChunkGroups, piece % 4));
                }
            }
        }
        cp_async_commit();
    }

    // The i-th of a thread's groups. Behind the last step the last one again, which nobody uses.
    NEOX_DEVICE Group<t> load(int step, int i) const {
        const int group = column(step) / kGroupColumns + thread_id() % kGroups,
                  n_groups = end_ / kGroupColumns;
        return load_group<t>(a_.weights, weight_row(thread_id() / kGroups + i * kRowsAtOnce),
                             group < n_groups ? group : n_groups - 1);
    }
    NEOX_DEVICE void unpack_one(int step, int slot, int i) {
        std::uint32_t pairs[16];
        if constexpr (kIsLate) {
            unpack_half2(load(step, i), pairs);
        } else {
            unpack_half2(ring_[slot][i], pairs);
            ring_[slot][i] = load(step + kRing, i);
        }
        const int row = thread_id() / kGroups + i * kRowsAtOnce;
        NEOX_UNROLL
        for (int j = 0; j < 4; ++j)
            store_16(weight_buffer(step) + place(row, 4 * (thread_id() % kGroups) + j),
                     {{pairs[4 * j], pairs[4 * j + 1], pairs[4 * j + 2], pairs[4 * j + 3]}});
    }
    NEOX_DEVICE void unpack_all(int step, int slot) {
        if constexpr (!kIsCopied) {
            NEOX_UNROLL
            for (int i = 0; i < kThreadGroups; ++i) unpack_one(step, slot, i);
        }
    }

    // One step; next_slot holds the next one's weights.
    NEOX_DEVICE void advance(int step, int next_slot) {
        cp_async_wait<Shape::kStages - 2>();
        sync_block();
        copy(step + Shape::kStages - 1);
        const int n_left = end_ - column(step);
        if (n_left > Shape::kCols) {
            // Straight on, so that the compiler can put the next step's weights between the products.
            NEOX_UNROLL
            for (int group = 0; group < kGroups; ++group) {
                multiply(step, group);
                if constexpr (!kIsCopied)
                    if ((group + 1) * kThreadGroups % kGroups == 0)
                        unpack_one(step + 1, next_slot, (group + 1) * kThreadGroups / kGroups - 1);
            }
        } else {
            for (int group = 0; group < n_left / kGroupColumns; ++group) multiply(step, group);
        }
    }

    // 32 columns of a step: pieces 4 group to 4 group + 3 of the buffers.
    NEOX_DEVICE void multiply(int step, int group) {
        const std::byte* const tokens = token_buffer(step);
        const std::byte* const weights = weight_buffer(step);
        const int matrix = lane() / 8, line = lane() % 8;
        const int first_token = warp() % kWarpsOfTokens * Shape::kWarpTokens;
        const int first_row = warp() / kWarpsOfTokens * Shape::kWarpRows;
        std::uint32_t narrow[4] = {};  // eight rows alone: all 32 columns at once
        if constexpr (kN == 1) ldmatrix_x4(narrow, weights + place(first_row + line, 4 * group + matrix));
        NEOX_UNROLL
        for (int half = 0; half < 2; ++half) {
            const int piece = 4 * group + 2 * half;
            std::uint32_t b[kN][2];
            if constexpr (kN == 1) {
                b[0][0] = narrow[2 * half];
                b[0][1] = narrow[2 * half + 1];
            } else {
                NEOX_UNROLL
                for (int n = 0; n < kN; n += 2) {
                    std::uint32_t two[4];
                    ldmatrix_x4(two,
                                weights + place(first_row + 8 * (n + matrix / 2) + line, piece + matrix % 2));
                    b[n][0] = two[0];
                    b[n][1] = two[1];
                    b[n + 1][0] = two[2];
                    b[n + 1][1] = two[3];
                }
            }
            NEOX_UNROLL
            for (int m = 0; m < kM; ++m) {
                std::uint32_t a[4];
                ldmatrix_x4(a, tokens +
                                   place(first_token + 16 * m + 8 * (matrix % 2) + line, piece + matrix / 2));
                NEOX_UNROLL
                for (int n = 0; n < kN; ++n) mma_f16(sums_[m][n], a, b[n]);
            }
        }
    }

    NEOX_DEVICE void finish() const {
        sync_block();  // the buffers become the tile of results
        const int token = warp() % kWarpsOfTokens * Shape::kWarpTokens + lane() / 4;
        const int row = warp() / kWarpsOfTokens * Shape::kWarpRows + lane() % 4 * 2;
        NEOX_UNROLL
        for (int m = 0; m < kM; ++m) {
            NEOX_UNROLL
            for (int n = 0; n < kN; ++n) {
                const float(&c)[4] = sums_[m][n];
                store_8(Results::at(token + 16 * m, row + 8 * n),
                        {{bits_of_float(c[0]), bits_of_float(c[1])}});
                store_8(Results::at(token + 16 * m + 8, row + 8 * n),
                        {{bits_of_float(c[2]), bits_of_float(c[3])}});
            }
        }
        sync_block();
        const Results results(a_.results, token_, row_);
        if (a_.results.n_segments > 1 &&
            !results.join_segments(block_id().y * grid_size().x + block_id().x, block_id().z))
            return;
        results.write();
    }

    const MatmulTask& a_;
    int token_, row_, begin_, end_, n_steps_;
    Group<t> ring_[kRing][kThreadGroups];
    float sums_[kM][kN][4] = {};
};

template <DType t, class Shape>
NEOX_KERNEL void NEOX_BOUNDS(Shape::kThreads, Shape::kBlocks) matmul_tile(MatmulTask task) {
    MatmulBlock<t, Shape> block(task);
    block.run();
}

template <class Shape> void launch_tile(Stream& stream, DType dtype, const MatmulTask& task) {
    LaunchShape shape;
    shape.x = (task.results.n_tokens + Shape::kTokens - 1) / Shape::kTokens;
    shape.y = (task.results.n_rows + Shape::kRows - 1) / Shape::kRows;
    shape.z = task.results.n_segments;
    shape.n_threads = Shape::kThreads;
    shape.may_overlap = true;
    with_format(dtype, [&]<DType t>() {
        shape.shared_bytes = MatmulBlock<t, Shape>::kSharedBytes;
        stream.launch(matmul_tile<t, Shape>, shape, task);
    });
}

// Each in a source of its own, so that they are compiled side by side.
void launch_tile_16(Stream& stream, DType dtype, const MatmulTask& task);
void launch_tile_64(Stream& stream, DType dtype, const MatmulTask& task);
void launch_tile_128(Stream& stream, DType dtype, const MatmulTask& task);

}  // namespace neox::cuda
