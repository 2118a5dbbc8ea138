// neox_bench attention: the attention kernel by itself, 22 heads of 128 dimensions as in the 3.6B shape, per type of KV cache.
//   step:   one row at depth 1,536 over all heads, from memory in the pool's order: microseconds of a layer, GB/s of the cache
//   prompt: a task of 64 rows of one head against 1,536 positions: Gflop/s of one thread, from the cache
#pragma once

void bench_attention(double seconds);
