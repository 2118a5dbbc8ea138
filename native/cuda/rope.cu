#include "cuda/rope.h"

#include <algorithm>

#include "base/error.h"
#include "cuda/kv.cuh"
#include "cuda/rope.cuh"
#include "cuda/store_kv.cuh"

namespace neox::cuda {

namespace {

constexpr std::int32_t kFewestPositions = 256;
constexpr int kWarps = 4;

bool needs_scaled_rows(const Config& config, std::int32_t n_ctx) {
    return config.rope_scaling == RopeScaling::dynamic && n_ctx > config.n_ctx_train;
}

std::int64_t table_rows(const Config& config, std::int32_t n_ctx, std::int32_t max_rows) {
    return std::int64_t{n_ctx} + (needs_scaled_rows(config, n_ctx) ? max_rows : 0);
}

// x the row, y four heads, one for each warp.
template <KvType type> NEOX_KERNEL void NEOX_BOUNDS(32 * kWarps, 1) store_kv_kernel(LayerAttention a) {
    let_next_kernel_start();
    wait_for_previous_kernel();
    const int head = block_id().y * kWarps + warp();
    if (head < a.kv.n_head) store_row<type>(a, block_id().x, head);
}

}  // namespace

DeviceRope::DeviceRope(const Config& config, std::int32_t n_ctx, std::int32_t max_rows)
    : host_(config, n_ctx), n_rot_(static_cast<std::size_t>(config.n_rot)), n_ctx_(n_ctx),
      n_ctx_train_(config.n_ctx_train), is_dynamic_(config.rope_scaling == RopeScaling::dynamic),
      table_(at(table_rows(config, n_ctx, max_rows))),
      scaled_(needs_scaled_rows(config, n_ctx) ? at(max_rows) : 0) {}

std::uint64_t DeviceRope::bytes(const Config& config, std::int32_t n_ctx, std::int32_t max_rows) {
    return sizeof(float) * static_cast<std::uint64_t>(config.n_rot) *
           static_cast<std::uint64_t>(table_rows(config, n_ctx, max_rows));
}

void DeviceRope::put_row(RopeTable::Row row, float* to) const {
    std::copy_n(row.cos, n_rot_ / 2, to);
    std::copy_n(row.sin, n_rot_ / 2, to + n_rot_ / 2);
}

// As RopeTable grows: a file's header may claim a context that nothing will ever fill.
void DeviceRope::grow(Stream& stream, std::int32_t n_positions) {
    if (n_positions <= n_positions_) return;
    const std::int64_t wanted =
        std::max<std::int64_t>({n_positions, kFewestPositions, std::int64_t{n_positions_} * 2});
    const auto grown = static_cast<std::int32_t>(std::min<std::int64_t>(n_ctx_, wanted));
    // A length of 0 is below every trained context: these rows are not scaled.
    std::vector<Row> rows(static_cast<std::size_t>(grown - n_positions_));
    for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i] = {};
        rows[i].pos = n_positions_ + static_cast<std::int32_t>(i);
    }
    host_.prepare({rows.data(), static_cast<std::int32_t>(rows.size()), nullptr, 0});
    std::vector<float> values(at(static_cast<std::int64_t>(rows.size())));
    for (std::size_t i = 0; i < rows.size(); ++i)
        put_row(host_.row(static_cast<std::ptrdiff_t>(i)), values.data() + i * n_rot_);
    stream.copy_to_device(table_.data() + at(n_positions_), values.data(), values.size() * sizeof(float));
    stream.synchronize();  // the values leave
    n_positions_ = grown;
}

const std::vector<std::int32_t>& DeviceRope::prepare(Stream& stream, const Batch& batch) {
    std::int32_t n_positions = 0, n_scaled = 0;
    indices_.clear();
    for (std::int32_t i = 0; i < batch.n_rows; ++i) {
        const Row& row = batch.rows[i];
        if (row.pos < 0 || row.pos >= n_ctx_)
            fail(ErrorCode::internal, "Position ", row.pos, " is outside the context of ", n_ctx_, ".");
        if (!is_scaled(row)) n_positions = std::max(n_positions, row.pos + 1);
        indices_.push_back(is_scaled(row) ? n_ctx_ + n_scaled++ : row.pos);
    }
    grow(stream, n_positions);
    if (n_scaled == 0) return indices_;
    if (at(n_scaled) > scaled_.size())
        fail(ErrorCode::internal, "A batch of ", n_scaled, " scaled rows has no room in the rotary table.");
    host_.prepare(batch);
    for (std::int32_t i = 0; i < batch.n_rows; ++i) {
        const std::int32_t index = indices_[static_cast<std::size_t>(i)];
        if (index >= n_ctx_) put_row(host_.row(i), scaled_.data() + at(index - n_ctx_));
    }
    stream.copy_to_device(table_.data() + at(n_ctx_), scaled_.data(), at(n_scaled) * sizeof(float));
    return indices_;
}

void launch_store_kv(Stream& stream, const LayerAttention& a) {
    if (a.n_rows == 0) return;
    const auto kernel = a.kv.type == KvType::f32   ? store_kv_kernel<KvType::f32>
                        : a.kv.type == KvType::f16 ? store_kv_kernel<KvType::f16>
                                                   : store_kv_kernel<KvType::q8_0>;
    stream.launch(kernel,
                  {.x = a.n_rows,
                   .y = (a.kv.n_head + kWarps - 1) / kWarps,
                   .n_threads = 32 * kWarps,
                   .may_overlap = true},
                  a);
}

}  // namespace neox::cuda
