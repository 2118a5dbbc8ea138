// Attention of one layer: what stands between the projection to q, k, v and the one behind the heads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/aligned_buffer.h"

namespace neox {

struct Batch;
struct CpuState;

// Rows [row, row + n_rows) of the live ones, all of one sequence, with heads [head, head + n_heads).
struct AttentionTask {
    int row, n_rows;
    int head, n_heads;
};

// What attention keeps between calls, so that it allocates nothing.
struct AttentionScratch {
    // Of one thread, for n_ctx positions.
    struct Thread {
        std::vector<const std::byte*> keys, values;  // tiles of the task's first head
        std::vector<std::int64_t> n_positions;       // of the task's rows
        AlignedBuffer<std::byte> kernel;             // the kernel's own
    };
    std::vector<Thread> threads;
    std::vector<AttentionTask> tasks;
    std::vector<char> has_run;  // of each sequence of a batch

    void reset(int n_threads, std::int32_t n_ctx, std::int32_t head_dim);
};

// For the live rows: rotates q and k of act.qkv in place, writes k and v to the KV cache, and then
// act.attn = softmax(q K^T / sqrt(head_dim)) V over the positions up to the row's own, head by head.
void attention(CpuState& state, const Batch& batch, std::int32_t layer);

}  // namespace neox
