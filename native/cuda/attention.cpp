#include "cuda/attention.h"

#include <algorithm>
#include <unordered_set>

#include "cuda/rope.h"

namespace neox::cuda {

namespace {

constexpr std::int32_t kFewestSplits =
    4;  // 256 positions; each class of lengths has four times the room of the one before

bool follows(const DeviceRow& row, const DeviceRow& before) {
    return row.sequence == before.sequence && row.phase == before.phase;
}

// Calls take(begin, end) with the pieces of [begin, end) in which joins(row, row before, first row of the piece) holds.
template <class Joins, class Take>
void each_piece(std::span<const DeviceRow> rows, std::size_t begin, std::size_t end, Joins&& joins,
                Take&& take) {
    for (std::size_t first = begin, last = begin; first < end; first = last) {
        do ++last;
        while (last < end && joins(rows[last], rows[last - 1], rows[first]));
        take(first, last);
    }
}

std::int32_t room_of(std::int32_t n_splits) {
    std::int32_t room = kFewestSplits;
    while (room < n_splits) room *= 4;
    return room;
}

// Groups of one sequence, and launches of as many as the scratch has rows for.
void plan_steps(AttentionPlan& plan, std::span<const DeviceRow> rows, std::size_t begin, int most,
                const StepScratch& scratch) {
    const auto number = [](std::size_t i) { return static_cast<std::int32_t>(i); };
    each_piece(
        rows, begin, rows.size(),
        [](const DeviceRow& row, const DeviceRow& before, const DeviceRow&) {
            return follows(row, before) && row.pos > before.pos;
        },
        [&](std::size_t first, std::size_t last) {
            for (std::size_t i = first; i < last; i += static_cast<std::size_t>(most))
                plan.groups.push_back({number(i), std::min(most, number(last - i))});
        });
    plan.n_step_groups = number(plan.groups.size());
    for (std::int32_t i = 0; i < plan.n_step_groups; ++i) {
        const RowGroup& group = plan.groups[static_cast<std::size_t>(i)];
        const std::int32_t n_splits =
            rows[static_cast<std::size_t>(group.row + group.n_rows - 1)].pos / kKvBlock + 1;
        if (plan.slices.empty() || group.row + group.n_rows - plan.slices.back().row > scratch.n_rows())
            plan.slices.push_back({i, 0, group.row, 1, 0});
        StepSlice& slice = plan.slices.back();
        ++slice.n_groups;
        while (slice.group_rows < group.n_rows) slice.group_rows *= 2;
        slice.n_splits = std::max(slice.n_splits, std::min(room_of(n_splits), scratch.n_splits()));
    }
}

// Tiles of rows that follow one another in one block of 64 positions.
void plan_tiles(AttentionPlan& plan, std::span<const DeviceRow> rows, std::size_t end) {
    each_piece(
        rows, 0, end,
        [](const DeviceRow& row, const DeviceRow& before, const DeviceRow& first) {
            return follows(row, before) && row.pos == before.pos + 1 &&
                   row.pos / kKvBlock == first.pos / kKvBlock;
        },
        [&](std::size_t first, std::size_t last) {
            plan.groups.push_back(
                {static_cast<std::int32_t>(first), static_cast<std::int32_t>(last - first)});
            ++plan.n_tiles;
        });
    std::stable_sort(plan.groups.begin() + plan.n_step_groups, plan.groups.end(),
                     [&](const RowGroup& a, const RowGroup& b) {
                         return rows[static_cast<std::size_t>(a.row)].pos >
                                rows[static_cast<std::size_t>(b.row)].pos;
                     });
}

// Whether nobody attends to rows of this pass but those in their own group.
bool has_one_group_each(const AttentionPlan& plan, std::span<const DeviceRow> rows) {
    std::unordered_set<std::int32_t> sequences;
    for (const RowGroup& group : plan.groups)
        if (!sequences.insert(rows[static_cast<std::size_t>(group.row)].sequence).second) return false;
    return true;
}

}  // namespace

AttentionPlan plan_attention(std::span<const DeviceRow> rows, Precision precision, KvType type, int head_dim,
                             const StepScratch& scratch) {
    AttentionPlan plan;
    const bool uses_tiles = precision != Precision::exact && has_prompt_attention(type, head_dim);
    const auto first_step = std::find_if(rows.begin(), rows.end(), [](const DeviceRow& row) {
        return row.phase == static_cast<std::int32_t>(RowPhase::step);
    });
    const std::size_t n_prompt = uses_tiles ? static_cast<std::size_t>(first_step - rows.begin()) : 0;
    plan_steps(plan, rows, n_prompt, step_rows(head_dim), scratch);
    plan.stores = n_prompt == 0 && has_one_group_each(plan, rows);
    plan_tiles(plan, rows, n_prompt);
    return plan;
}

void launch_attention(Stream& stream, const LayerAttention& attention, const AttentionPlan& plan,
                      const StepScratch& scratch, const RowGroup* groups) {
    if (!plan.stores) launch_store_kv(stream, attention);
    launch_attention_prompt(stream, attention, groups + plan.n_step_groups, plan.n_tiles);
    for (const StepSlice& slice : plan.slices)
        launch_attention_step(stream, attention, scratch, groups, slice, plan.stores);
}

}  // namespace neox::cuda
