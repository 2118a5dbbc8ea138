// Attention of prompt rows on the tensor cores: queries, keys, values and the powers of scores in f16, sums in f32.
//
// A block of threads takes a head and the rows of a sequence that stand in one block of 64 positions, and walks over the tiles of
// keys from the first to that one. A row has its place by its position, and tiles that it does not see change nothing: so its bits
// depend on neither the cut of the prompt nor its neighbours.
//
// Queries and powers are rounded to the 11 bits of f16, as keys and values in an f16 cache are; values of q8_0 are rounded so once
// more. An output is off by at most 2^-10 (1 + m) v, twice that under q8_0, where v is the largest magnitude of a value that it sums
// and m the largest sum |q k| / sqrt(head_dim) of its scores. Where a query, scaled, or a value exceeds 65504, rows of its block of
// 64 positions become NaN.
#pragma once

#include "cuda/layer_attention.h"
#include "cuda/runtime.h"

namespace neox::cuda {

// f16 and q8_0, heads of up to 256 dimensions; everything else is left to attention_step.h.
bool has_prompt_attention(KvType type, int head_dim);

// out = softmax(q K^T / sqrt(head_dim)) V of the rows of n_tiles tiles: groups of rows with positions that follow one another,
// all in one block of 64. Their keys and values are in the cache. `tiles` are in the device's memory.
void launch_attention_prompt(Stream& stream, const LayerAttention& attention, const RowGroup* tiles,
                             std::int32_t n_tiles);

}  // namespace neox::cuda
