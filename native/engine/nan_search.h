// Where a NaN comes from: the rows of a sequence once more, layer by layer.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/error.h"
#include "engine/sequence.h"
#include "model/backend.h"
#include "model/kv_pool.h"

namespace neox {

struct NanSearch {
    const Backend& backend;
    const Config& config;  // n_layer, n_embd
    std::shared_ptr<KvPool> pool;
    std::int32_t max_rows;  // of one batch
};

// The error of a sequence whose output at `position` holds a NaN: ERR_NEOX_NAN with the layer and the position where a NaN
// first shows, and where an infinity does that came before it. Layers are counted from 0, as in the checkpoint.
//
// The rows up to `position` run again from the first on, in batches of max_rows, until a batch has one: in most cases one batch.
// They go to free KV blocks, which are given back, so no sequence changes. The message ends after the position where that
// cannot be: too few blocks are free, the backend fails, or `cancel` is set. On the engine's thread, between two passes.
Error nan_error(const NanSearch& search, const Sequence& sequence, std::int64_t position,
                const std::atomic<std::int32_t>* cancel);

}  // namespace neox
