#include "model/attention.h"

#include <cmath>

namespace neox {

namespace {

// Rotates q and k in place and writes k and v to the cache.
void rope_and_store(CpuState& s, const Batch& batch, std::int32_t layer) {
    const Config& c = s.weights.config;
    const std::int64_t stride = panel_stride(3 * std::int64_t{c.n_embd});
    const int dim = c.head_dim();
    s.pool.parallel_for(s.act.rows.size(), [&](std::size_t i, int) {
        const Row& row = *s.act.rows[i];
        const RopeTable::Row rope = s.rope.row(&row - batch.rows);
        float* q = s.act.qkv.data() + static_cast<std::int64_t>(i) * stride;
        float* k = q + c.n_embd;
        const float* v = k + c.n_embd;
        const std::int32_t block = batch.sequences[row.sequence].blocks[row.pos / kKvBlock];
        const int position = row.pos % kKvBlock;
        for (std::int32_t head = 0; head < c.n_head; ++head, q += dim, k += dim, v += dim) {
            s.kernels.rope(q, rope.cos, rope.sin, c.n_rot);
            s.kernels.rope(k, rope.cos, rope.sin, c.n_rot);
            s.kernels.store_kv(s.kv.type(), k, dim, s.kv.k(layer, block, head), position);
            s.kernels.store_kv(s.kv.type(), v, dim, s.kv.v(layer, block, head), position);
        }
    });
}

// attn = softmax(q K^T / sqrt(head_dim)) V over the positions up to the row's own, head by head.
void attend(CpuState& s, const Batch& batch, std::int32_t layer) {
    const Config& c = s.weights.config;
    const std::int64_t dim = c.head_dim(), stride = panel_stride(3 * std::int64_t{c.n_embd});
    const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
    const std::size_t n_head = static_cast<std::size_t>(c.n_head);
    s.pool.parallel_for(s.act.rows.size() * n_head, [&](std::size_t task, int thread) {
        const std::size_t i = task / n_head;
        const std::int32_t head = static_cast<std::int32_t>(task % n_head);
        const Row& row = *s.act.rows[i];
        const SequenceView& sequence = batch.sequences[row.sequence];
        const std::size_t n_tiles = static_cast<std::size_t>(row.pos / kKvBlock + 1);
        std::vector<const std::byte*>& tiles = s.tiles[static_cast<std::size_t>(thread)];
        for (std::size_t t = 0; t < n_tiles; ++t) {
            tiles[t] = s.kv.k(layer, sequence.blocks[t], head);
            tiles[n_tiles + t] = s.kv.v(layer, sequence.blocks[t], head);
        }
        s.kernels.attention({s.kv.type(), static_cast<int>(dim), scale, std::int64_t{row.pos} + 1,
                             tiles.data(), tiles.data() + n_tiles,
                             s.act.qkv.data() + static_cast<std::int64_t>(i) * stride + head * dim,
                             s.act.attn.data() + static_cast<std::int64_t>(i) * c.n_embd + head * dim});
    });
}

}  // namespace

void attention(CpuState& s, const Batch& batch, std::int32_t layer) {
    rope_and_store(s, batch, layer);
    attend(s, batch, layer);
}

}  // namespace neox
