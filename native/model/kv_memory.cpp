#include "model/kv_memory.h"

#include <cstring>

#include "base/checked.h"

namespace neox {

std::uint64_t kv_block_bytes(const Config& config, KvType type, std::int32_t n_layers) {
    return std::uint64_t{2} * static_cast<std::uint64_t>(n_layers) *
           static_cast<std::uint64_t>(config.n_head) *
           static_cast<std::uint64_t>(kv_tile_bytes(type, config.head_dim()));
}

namespace {

// Each group of each layer begins on pages of its own, huge ones, so a small cache must not have many.
constexpr std::int32_t kMostGroups = 4;

std::int32_t ceil_div(std::int32_t a, std::int32_t b) { return (a + b - 1) / b; }

std::int32_t heads_of_group(std::int32_t n_head, std::int32_t thread_heads) {
    return thread_heads * ceil_div(ceil_div(n_head, thread_heads), kMostGroups);
}

}  // namespace

KvMemory::KvMemory(const Config& config, KvType type, std::int32_t n_blocks, std::int32_t n_threads,
                   std::int32_t layer_begin, std::int32_t n_layers)
    : type_(type), layer_begin_(layer_begin), n_layer_(n_layers), n_head_(config.n_head), n_blocks_(n_blocks),
      thread_heads_(ceil_div(config.n_head, n_threads)),
      group_heads_(heads_of_group(config.n_head, thread_heads_)),
      tile_bytes_(static_cast<std::size_t>(kv_tile_bytes(type, config.head_dim()))),
      layer_bytes_(tile_bytes_ * 2 * static_cast<std::size_t>(config.n_head)),
      memory_(checked_add(checked_mul(block_bytes(), static_cast<std::uint64_t>(n_blocks), "KV pool"),
                          kKvSlack, "KV pool"),
              "the KV cache", PageUse::lazy) {}

void KvMemory::check_block(std::int32_t block) const {
    if (block < 0 || block >= n_blocks_)
        fail(ErrorCode::internal, "KV block ", block, " is outside the pool of ", n_blocks_, ".");
}

void KvMemory::copy(std::int32_t from, std::int32_t to) {
    check_block(from);
    check_block(to);
    for (std::int32_t layer = layer_begin_; layer < layer_end(); ++layer)
        for (std::int32_t first = 0; first < n_head_; first += group_heads_)
            std::memcpy(tile(layer, to, 0, first), tile(layer, from, 0, first),
                        static_cast<std::size_t>(2 * heads_from(first)) * tile_bytes_);
}

template <class Run> void KvMemory::each_run(std::int32_t block, Run&& run) {
    check_block(block);
    std::size_t at = 0;
    for (std::int32_t layer = layer_begin_; layer < layer_end(); ++layer)
        for (const int value : {0, 1})
            for (std::int32_t first = 0; first < n_head_; first += group_heads_) {
                const std::size_t bytes = static_cast<std::size_t>(heads_from(first)) * tile_bytes_;
                run(tile(layer, block, value, first), at, bytes);
                at += bytes;
            }
}

void KvMemory::read(std::int32_t block, std::byte* dst) {
    each_run(block, [&](const std::byte* run, std::size_t at, std::size_t bytes) {
        std::memcpy(dst + at, run, bytes);
    });
}

void KvMemory::write(std::int32_t block, const std::byte* src) {
    each_run(block,
             [&](std::byte* run, std::size_t at, std::size_t bytes) { std::memcpy(run, src + at, bytes); });
}

}  // namespace neox
