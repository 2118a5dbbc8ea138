// Attention in f32 for few rows of a sequence against a long cache: of steps, and of every row where f32 is asked for.
//
// The positions of a sequence are cut into splits of 64, one KV block each; a block of threads takes a group of rows of one
// sequence, a head and a split, and leaves a sum that has to be divided yet. Who is last puts the splits of a group and head
// together, in their order. So the bits of a row follow from its own sequence alone: neither the rows beside it nor the number of
// splits that a launch has room for changes them.
#pragma once

#include <cstdint>

#include "cuda/layer_attention.h"
#include "cuda/runtime.h"

namespace neox::cuda {

inline constexpr int kMostStepRows = 8;
// Rows of one group at most: those that read a head's keys and values together.
constexpr int step_rows(int head_dim) { return head_dim <= 512 ? kMostStepRows : 1; }

// Groups [group, group + n_groups) in one launch, whose rows lie in [row, row + StepScratch::n_rows()).
struct StepSlice {
    std::int32_t group, n_groups;
    std::int32_t row;
    std::int32_t group_rows;  // of the largest group at most: 1, 2, 4 or 8
    std::int32_t n_splits;    // room: at least (position of any row) / 64 + 1
    bool operator==(const StepSlice&) const = default;
};

// Sums of splits between blocks, and how many of a group are done.
class StepScratch {
public:
    // For positions below n_ctx and at most max_rows rows in one pass. Tickets are set to zero by the stream.
    StepScratch(Stream& stream, const Config& config, std::int32_t n_ctx, std::int32_t max_rows);

    static std::uint64_t bytes(const Config& config, std::int32_t n_ctx, std::int32_t max_rows);

    std::int32_t n_rows() const { return n_rows_; }  // of one launch
    std::int32_t n_splits() const { return n_splits_; }
    float* sums() const { return sums_.data(); }      // [n_rows][n_head][n_splits][dim]
    float* totals() const { return totals_.data(); }  // [n_rows][n_head][n_splits][maximum, sum of weights]
    std::int32_t* tickets() const { return tickets_.data(); }

private:
    std::int32_t n_rows_, n_splits_;
    DeviceBuffer<float> sums_, totals_;
    DeviceBuffer<std::int32_t> tickets_;
};

// out = softmax(q K^T / sqrt(head_dim)) V of the slice's rows, over the positions up to each row's own. With `stores` it also
// puts the keys and values of the rows into the cache: for passes in which each sequence has one group
// (AttentionPlan::stores). `groups` are in the device's memory.
void launch_attention_step(Stream& stream, const LayerAttention& attention, const StepScratch& scratch,
                           const RowGroup* groups, const StepSlice& slice, bool stores);

}  // namespace neox::cuda
