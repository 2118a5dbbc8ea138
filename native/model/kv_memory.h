// The CPU's KV memory: tiles (kernels/kernels.h), touched only when used.
//
// A step is bound by the memory's speed, and the processor fetches ahead what is one stream that only ever goes up: each break
// of it costs as much as several kilobytes. So the heads of one thread lie together, in the order
// [layer][group of heads][block][K|V][head of the group], and a thread reads the blocks of a sequence, which are neighbours
// as a rule, from one end to the other.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/page_buffer.h"
#include "kernels/kernels.h"
#include "model/config.h"

namespace neox {

// Bytes of one block over n_layers layers.
std::uint64_t kv_block_bytes(const Config& config, KvType type, std::int32_t n_layers);

class KvMemory {
public:
    // Of n_layers layers from layer_begin on, for attention on n_threads threads.
    KvMemory(const Config& config, KvType type, std::int32_t n_blocks, std::int32_t n_threads,
             std::int32_t layer_begin, std::int32_t n_layers);

    KvType type() const { return type_; }
    std::int32_t layer_begin() const { return layer_begin_; }
    std::int32_t layer_end() const { return layer_begin_ + n_layer_; }
    std::size_t block_bytes() const { return layer_bytes_ * static_cast<std::size_t>(n_layer_); }
    // Heads of one group, the last of which may have fewer: of one block and side their tiles follow one another.
    std::int32_t group_heads() const { return group_heads_; }
    // The heads that one thread should take of a single row; a group holds a multiple of them.
    std::int32_t thread_heads() const { return thread_heads_; }

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
    // A copy takes whole blocks: the positions of a key tile lie side by side. Blocks outside are [layer][K|V][head],
    // whatever the number of threads.
    void copy(std::int32_t from, std::int32_t to);
    void read(std::int32_t block, std::byte* dst);
    void write(std::int32_t block, const std::byte* src);

private:
    std::byte* tile(std::int32_t layer, std::int32_t block, int value, std::int32_t head) {
        const std::int32_t first = head / group_heads_ * group_heads_, in_group = heads_from(first);
        const std::size_t before = static_cast<std::size_t>(2 * first) * static_cast<std::size_t>(n_blocks_) +
                                   static_cast<std::size_t>(2 * in_group) * static_cast<std::size_t>(block) +
                                   static_cast<std::size_t>(value * in_group + head - first);
        return memory_.data() +
               static_cast<std::size_t>(layer - layer_begin_) * static_cast<std::size_t>(n_blocks_) *
                   layer_bytes_ +
               before * tile_bytes_;
    }
    // Heads of the group that begins there.
    std::int32_t heads_from(std::int32_t first) const { return std::min(group_heads_, n_head_ - first); }
    // Calls run(bytes in the memory, where they begin in a block outside, how many) for all that is contiguous in both.
    template <class Run> void each_run(std::int32_t block, Run&& run);

    KvType type_;
    std::int32_t layer_begin_, n_layer_, n_head_, n_blocks_;
    std::int32_t thread_heads_, group_heads_;
    std::size_t tile_bytes_;
    std::size_t layer_bytes_;  // of one block in one layer
    PageBuffer memory_;
};

}  // namespace neox
