#include "model/kv_memory.h"

#include <cstring>

#include "base/checked.h"

namespace neox {

std::uint64_t kv_block_bytes(const Config& config, KvType type) {
    return std::uint64_t{2} * static_cast<std::uint64_t>(config.n_layer) *
           static_cast<std::uint64_t>(config.n_head) *
           static_cast<std::uint64_t>(kv_tile_bytes(type, config.head_dim()));
}

KvMemory::KvMemory(const Config& config, KvType type, std::int32_t n_blocks)
    : type_(type), n_layer_(config.n_layer), n_head_(config.n_head), n_blocks_(n_blocks),
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
    for (std::int32_t layer = 0; layer < n_layer_; ++layer)
        std::memcpy(tile(layer, to, 0, 0), tile(layer, from, 0, 0), layer_bytes_);
}

void KvMemory::read(std::int32_t block, std::byte* dst) {
    check_block(block);
    for (std::int32_t layer = 0; layer < n_layer_; ++layer, dst += layer_bytes_)
        std::memcpy(dst, tile(layer, block, 0, 0), layer_bytes_);
}

void KvMemory::write(std::int32_t block, const std::byte* src) {
    check_block(block);
    for (std::int32_t layer = 0; layer < n_layer_; ++layer, src += layer_bytes_)
        std::memcpy(tile(layer, block, 0, 0), src, layer_bytes_);
}

}  // namespace neox
