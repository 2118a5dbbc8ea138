// What every kernel of one layer's attention is told.
#pragma once

#include <cstdint>

#include "cuda/kv.h"
#include "cuda/rows.h"

namespace neox::cuda {

struct LayerAttention {
    KvView kv;  // of the layer
    const float*
        qkv;  // [rows][qkv_stride]: Q | K | V, each [n_head][head_dim], not rotated; it is left as it is
    std::int64_t qkv_stride;
    float* out;  // [rows][out_stride], of which [n_head][head_dim] are written
    std::int64_t out_stride;
    const DeviceRow* rows;
    std::int32_t n_rows;
    const std::int32_t* blocks;  // [sequences][blocks_stride]
    std::int64_t blocks_stride;
    const float* rope;  // DeviceRope::table()
    std::int32_t n_rot;
};

}  // namespace neox::cuda
