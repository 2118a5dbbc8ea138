// Attention of one layer: which kernels take which rows of a pass, and their launches.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cuda/attention_prompt.h"
#include "cuda/attention_step.h"
#include "model/backend.h"

namespace neox::cuda {

// The same for all layers of a pass.
struct AttentionPlan {
    std::vector<RowGroup>
        groups;  // for the device's memory: those of steps, then the tiles of prompts, longest first
    std::vector<StepSlice> slices;  // of the first groups
    std::int32_t n_step_groups = 0, n_tiles = 0;
    // The steps store their own keys and values; else launch_store_kv has to, for all rows.
    bool stores = false;
};

// Rows in their slots: prompts first, rows of a sequence rising. Prompt rows go to the tensor cores unless `precision` is exact or
// has_prompt_attention() says no. The splits of a slice have room for 256, 1,024, 4,096 ... positions.
AttentionPlan plan_attention(std::span<const DeviceRow> rows, Precision precision, KvType type, int head_dim,
                             const StepScratch& scratch);

// out = attention of the rows, whose keys and values end in the cache. `groups` is plan.groups in the device's memory.
void launch_attention(Stream& stream, const LayerAttention& attention, const AttentionPlan& plan,
                      const StepScratch& scratch, const RowGroup* groups);

}  // namespace neox::cuda
