// The rotary table on the device, and the kernel that puts keys and values into the cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cuda/layer_attention.h"
#include "cuda/runtime.h"
#include "model/rope_table.h"

namespace neox::cuda {

// Values of RopeTable, in device memory that never moves: rows [0, n_ctx) are those of the positions, computed when a pass first
// needs them; behind them, where dynamic scaling may reach beyond the trained context, one for each row of a batch.
// A row has n_rot floats, cosines before sines.
class DeviceRope {
public:
    // Throws what RopeTable's constructor throws, and ERR_NEOX_OUT_OF_MEMORY.
    DeviceRope(const Config& config, std::int32_t n_ctx, std::int32_t max_rows);

    static std::uint64_t bytes(const Config& config, std::int32_t n_ctx, std::int32_t max_rows);

    // The table's row of each row of the batch, in its order; valid until the next call. What is missing is sent down the
    // stream, in which the pass before must be over. Positions must be below n_ctx, rows at most max_rows.
    const std::vector<std::int32_t>& prepare(Stream& stream, const Batch& batch);

    const float* table() const { return table_.data(); }
    const RopeTable& host() const { return host_; }

private:
    std::size_t at(std::int64_t row) const { return static_cast<std::size_t>(row) * n_rot_; }
    bool is_scaled(const Row& row) const { return is_dynamic_ && row.rope_length > n_ctx_train_; }
    void grow(Stream& stream, std::int32_t n_positions);
    void put_row(RopeTable::Row row, float* to) const;

    RopeTable host_;
    std::size_t n_rot_;
    std::int32_t n_ctx_, n_ctx_train_;
    bool is_dynamic_;
    std::int32_t n_positions_ = 0;  // that the device has
    DeviceBuffer<float> table_;
    PinnedBuffer<float> scaled_;  // of the batch, on their way
    std::vector<std::int32_t> indices_;
};

// Rotates the keys of rows [0, attention.n_rows) and writes them and the values to the layer's cache. Queries stay as they are:
// the kernels of attention rotate them as they read them.
void launch_store_kv(Stream& stream, const LayerAttention& attention);

}  // namespace neox::cuda
