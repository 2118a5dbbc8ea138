// Keys and values of a row on their way to the cache.
#pragma once

#include "cuda/kv.cuh"
#include "cuda/layer_attention.h"
#include "cuda/rope.cuh"

namespace neox::cuda {

NEOX_DEVICE const float* query_of(const LayerAttention& a, int row, int head) {
    return a.qkv + row * a.qkv_stride + head * a.kv.head_dim;
}
NEOX_DEVICE const float* rope_of(const LayerAttention& a, const DeviceRow& row) {
    return a.rope + std::int64_t{row.rope} * a.n_rot;
}
NEOX_DEVICE std::int32_t block_of(const LayerAttention& a, std::int32_t sequence, int tile) {
    return a.blocks[sequence * a.blocks_stride + tile];
}

// One head of the row in slot `index`, rotated. A whole warp.
template <KvType type> NEOX_DEVICE void store_row(const LayerAttention& a, int index, int head) {
    const DeviceRow row = a.rows[index];
    const std::int32_t block = block_of(a, row.sequence, row.pos / kTilePositions);
    const int position = row.pos % kTilePositions;
    const float* rope = rope_of(a, row);
    const float* k = query_of(a, index, head) + a.kv.n_head * a.kv.head_dim;
    const float* v = k + a.kv.n_head * a.kv.head_dim;
    store_position<type>(a.kv, kv_tile(a.kv, block, Side::keys, head), position,
                         [&](int d) { return rotated(k, d, rope, a.n_rot); });
    store_position<type>(a.kv, kv_tile(a.kv, block, Side::values, head), position,
                         [&](int d) { return v[d]; });
}

}  // namespace neox::cuda
