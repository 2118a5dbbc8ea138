// Attention of one layer: what stands between the projection to q, k, v and the one behind the heads.
#pragma once

#include <cstdint>

#include "model/forward.h"

namespace neox {

// For the live rows: rotates q and k of act.qkv in place, writes k and v to the KV cache, and then
// act.attn = softmax(q K^T / sqrt(head_dim)) V over the positions up to the row's own, head by head.
void attention(CpuState& state, const Batch& batch, std::int32_t layer);

}  // namespace neox
