#include "model/kv_rotation.h"

#include <vector>

namespace neox {

void rotate_keys(CpuState& s, const std::int32_t* blocks, std::int32_t n_blocks, std::int32_t delta) {
    const Config& c = s.weights.config;
    const std::size_t dim = static_cast<std::size_t>(c.head_dim()), n = static_cast<std::size_t>(n_blocks),
                      n_head = static_cast<std::size_t>(c.n_head);
    const std::int32_t n_layers = s.kv.layer_end() - s.kv.layer_begin();
    std::vector<float> cos, sin;
    s.rope.set_turn(-delta, cos, sin);
    for (std::size_t i = 0; i < n; ++i) s.kv.check_block(blocks[i]);
    std::vector<float> rows(static_cast<std::size_t>(s.pool.size()) * dim);
    s.pool.parallel_for(static_cast<std::size_t>(n_layers) * n * n_head, [&](std::size_t task, int thread) {
        const std::int32_t head = static_cast<std::int32_t>(task % n_head), block = blocks[task / n_head % n],
                           layer = s.kv.layer_begin() + static_cast<std::int32_t>(task / n_head / n);
        std::byte* tile = s.kv.k(layer, block, head);
        float* row = rows.data() + static_cast<std::size_t>(thread) * dim;
        for (int position = 0; position < kKvBlock; ++position) {
            s.kernels.load_kv(s.kv.type(), KvSide::keys, tile, position, c.head_dim(), row);
            s.kernels.rope(row, cos.data(), sin.data(), c.n_rot);
            s.kernels.store_kv(s.kv.type(), KvSide::keys, row, c.head_dim(), tile, position);
        }
    });
}

}  // namespace neox
