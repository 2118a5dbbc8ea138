#include "model/attention.h"

#include <algorithm>
#include <cmath>

#include "model/forward.h"

namespace neox {

namespace {

// Rows that share one reading of their sequence's cache.
constexpr int kRowTile = kAttentionPairs;

// Rotates q and k of some heads of one row in place and writes k and v to the cache.
void rope_and_store(CpuState& s, const Batch& batch, std::int32_t layer, int i, int head_begin,
                    int head_end) {
    const Config& c = s.weights.config;
    const int dim = c.head_dim();
    const Row& row = *s.act.rows[static_cast<std::size_t>(i)];
    const RopeTable::Row rope = s.rope.row(&row - batch.rows);
    float* q = s.act.qkv.data() + i * panel_stride(3 * std::int64_t{c.n_embd}) + head_begin * dim;
    float* k = q + c.n_embd;
    const float* v = k + c.n_embd;
    const std::int32_t block = batch.sequences[row.sequence].blocks[row.pos / kKvBlock];
    const int position = row.pos % kKvBlock;
    for (std::int32_t head = head_begin; head < head_end; ++head, q += dim, k += dim, v += dim) {
        s.kernels.rope(q, rope.cos, rope.sin, c.n_rot);
        s.kernels.rope(k, rope.cos, rope.sin, c.n_rot);
        s.kernels.store_kv(s.kv.type(), KvSide::keys, k, dim, s.kv.k(layer, block, head), position);
        s.kernels.store_kv(s.kv.type(), KvSide::values, v, dim, s.kv.v(layer, block, head), position);
    }
}

// Cuts the live rows into tasks, of one run of rows those that take longest first. Returns whether each task holds all
// rows of its sequence: then nobody else reads the keys and values that it stores.
bool cut(CpuState& s, const Batch& batch) {
    const std::vector<const Row*>& rows = s.act.rows;
    const int n = static_cast<int>(rows.size()), n_head = s.weights.config.n_head;
    const auto row_at = [&](int i) -> const Row& { return *rows[static_cast<std::size_t>(i)]; };
    AttentionScratch& scratch = s.attention;
    scratch.tasks.clear();
    scratch.has_run.assign(static_cast<std::size_t>(batch.n_sequences), 0);
    bool is_whole = true;
    for (int begin = 0, end = 0; begin < n; begin = end) {
        const std::int32_t sequence = row_at(begin).sequence;
        // Of one phase: steps that stand between prompts come after them, and have an arithmetic of their own.
        do ++end;
        while (end < n && row_at(end).sequence == sequence && row_at(end).phase == row_at(begin).phase &&
               row_at(end).pos > row_at(end - 1).pos);
        char& has_run = scratch.has_run[static_cast<std::size_t>(sequence)];
        if (has_run || end - begin > kRowTile) is_whole = false;
        has_run = 1;
        for (int first = begin + (end - begin - 1) / kRowTile * kRowTile; first >= begin; first -= kRowTile) {
            const int n_rows = std::min(kRowTile, end - first),
                      n_heads = std::min(s.kv.thread_heads(), kAttentionPairs / n_rows);
            // A task's heads are of one group of the cache.
            for (int group = 0, end_group = 0; group < n_head; group = end_group) {
                end_group = std::min(group + s.kv.group_heads(), n_head);
                for (int head = group; head < end_group; head += n_heads)
                    scratch.tasks.push_back({first, n_rows, head, std::min(n_heads, end_group - head)});
            }
        }
    }
    return is_whole;
}

void attend(CpuState& s, const Batch& batch, std::int32_t layer, const AttentionTask& task,
            AttentionScratch::Thread& scratch) {
    const Config& c = s.weights.config;
    const std::int64_t dim = c.head_dim(), stride = panel_stride(3 * std::int64_t{c.n_embd});
    const auto row_of = [&](int i) -> const Row& {
        return *s.act.rows[static_cast<std::size_t>(task.row + i)];
    };
    const SequenceView& sequence = batch.sequences[row_of(0).sequence];
    for (int i = 0; i < task.n_rows; ++i)
        scratch.n_positions[static_cast<std::size_t>(i)] = std::int64_t{row_of(i).pos} + 1;
    const int n_tiles = row_of(task.n_rows - 1).pos / kKvBlock + 1;
    for (int t = 0; t < n_tiles; ++t) {
        scratch.keys[static_cast<std::size_t>(t)] = s.kv.k(layer, sequence.blocks[t], task.head);
        scratch.values[static_cast<std::size_t>(t)] = s.kv.v(layer, sequence.blocks[t], task.head);
    }
    AttentionArgs args;
    args.kv_type = s.kv.type();
    args.head_dim = static_cast<int>(dim);
    args.scale = 1.0f / std::sqrt(static_cast<float>(dim));
    args.uses_integers = s.options.precision != Precision::exact && row_of(0).phase == RowPhase::prompt;
    args.n_rows = task.n_rows;
    args.n_heads = task.n_heads;
    args.n_positions = scratch.n_positions.data();
    args.k_blocks = scratch.keys.data();
    args.v_blocks = scratch.values.data();
    args.q = s.act.qkv.data() + task.row * stride + task.head * dim;
    args.q_stride = stride;
    args.out = s.act.attn.data() + std::int64_t{task.row} * c.n_embd + task.head * dim;
    args.out_stride = c.n_embd;
    args.scratch = scratch.kernel.data();
    s.kernels.attention(args);
}

}  // namespace

void AttentionScratch::reset(int n_threads, std::int32_t n_ctx, std::int32_t head_dim) {
    const std::size_t n_tiles = static_cast<std::size_t>((n_ctx + kKvBlock - 1) / kKvBlock);
    threads.resize(static_cast<std::size_t>(n_threads));
    for (Thread& thread : threads) {
        thread.keys.resize(n_tiles);
        thread.values.resize(n_tiles);
        thread.n_positions.resize(kRowTile);
        thread.kernel.reset(static_cast<std::size_t>(attention_scratch_bytes(head_dim)));
    }
}

void attention(CpuState& s, const Batch& batch, std::int32_t layer) {
    const bool is_whole = cut(s, batch);
    if (!is_whole) {
        // One head of many rows at a time: neighbouring positions of a key tile share their cache lines.
        const std::size_t n_head = static_cast<std::size_t>(s.weights.config.n_head), n = s.act.rows.size(),
                          n_groups = (n + kKvBlock - 1) / kKvBlock;
        s.pool.parallel_for(n_groups * n_head, [&](std::size_t task, int) {
            const int head = static_cast<int>(task % n_head);
            const std::size_t first = task / n_head * kKvBlock;
            for (std::size_t i = first; i < std::min(n, first + kKvBlock); ++i)
                rope_and_store(s, batch, layer, static_cast<int>(i), head, head + 1);
        });
    }
    const std::vector<AttentionTask>& tasks = s.attention.tasks;
    s.pool.parallel_for(tasks.size(), [&](std::size_t i, int thread) {
        const AttentionTask& task = tasks[i];
        if (is_whole)
            for (int row = 0; row < task.n_rows; ++row)
                rope_and_store(s, batch, layer, task.row + row, task.head, task.head + task.n_heads);
        attend(s, batch, layer, task, s.attention.threads[static_cast<std::size_t>(thread)]);
    });
}

}  // namespace neox
