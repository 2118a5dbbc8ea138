// The CPU's KV memory: tiles (kernels/kernels.h) in the order [layer][block][K|V][head], touched only when used.
#pragma once

#include <cstdint>

#include "base/page_buffer.h"
#include "kernels/kernels.h"
#include "model/config.h"

namespace neox {

// Bytes of one block over all layers.
std::uint64_t kv_block_bytes(const Config& config, KvType type);

class KvMemory {
public:
    KvMemory(const Config& config, KvType type, std::int32_t n_blocks);

    KvType type() const { return type_; }
    std::size_t block_bytes() const { return layer_bytes_ * static_cast<std::size_t>(n_layer_); }

    // ERR_NEOX_INTERNAL unless the pool has such a block.
    void check_block(std::int32_t block) const;
    // The tile of one head.
    std::byte* k(std::int32_t layer, std::int32_t block, std::int32_t head) {
        return tile(layer, block, 0, head);
    }
    std::byte* v(std::int32_t layer, std::int32_t block, std::int32_t head) {
        return tile(layer, block, 1, head);
    }

    // See Backend::kv_copy, kv_read and kv_write. Block ids are checked: ERR_NEOX_INTERNAL.
    // A copy takes whole blocks: the positions of a key tile lie side by side.
    void copy(std::int32_t from, std::int32_t to);
    void read(std::int32_t block, std::byte* dst);
    void write(std::int32_t block, const std::byte* src);

private:
    std::byte* tile(std::int32_t layer, std::int32_t block, int value, std::int32_t head) {
        const std::size_t slot = static_cast<std::size_t>(layer) * static_cast<std::size_t>(n_blocks_) +
                                 static_cast<std::size_t>(block);
        return memory_.data() + slot * layer_bytes_ +
               (static_cast<std::size_t>(value * n_head_) + static_cast<std::size_t>(head)) * tile_bytes_;
    }

    KvType type_;
    std::int32_t n_layer_, n_head_, n_blocks_;
    std::size_t tile_bytes_;
    std::size_t layer_bytes_;  // of one block in one layer
    PageBuffer memory_;
};

}  // namespace neox
