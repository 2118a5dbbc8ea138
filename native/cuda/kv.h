// The KV memory of a range of layers on the device: [layer][block][K|V][head] tiles of 64 positions.
//
// Keys and values lie alike, position by position, so that a step reads them in pieces of 16 bytes and the tensor cores take them
// as they are. Of a position there are `dim` elements, head_dim rounded up to 16, the rest zeros:
//   f32, f16: [64][dim]
//   q8_0: codes, bytes [64][dim], then scales, f16 [64][ceil(head_dim / 32)]; a value is scale * (code - 128)
// Values are those that the CPU's store_kv would keep (kernels/kernels.h), bit for bit. Positions that nobody wrote hold anything.
//
// Outside, blocks have the CPU's layout, so that a saved session moves from one device to the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cuda/runtime.h"
#include "kernels/kernels.h"
#include "model/config.h"

namespace neox {
class RopeTable;
}

namespace neox::cuda {

inline constexpr int kMostHeadDim = 4096;

// One layer, or all layers of a memory by layer_bytes. Plain data, for kernels.
struct KvView {
    std::byte* memory;
    KvType type;
    int n_head, head_dim;
    int dim;        // elements of a position, a multiple of 16
    int n_scales;   // of a position, q8_0 alone
    int row_bytes;  // of the elements of a position
    int n_blocks;
    std::int64_t tile_bytes;   // of one head, one side: a multiple of 128
    std::int64_t layer_bytes;  // of all blocks
};

// The memory that a KvCache of these takes.
std::uint64_t kv_memory_bytes(const Config& config, KvType type, std::int32_t n_layers,
                              std::int32_t n_blocks);

class KvCache {
public:
    // For layers [layer_begin, layer_end). Throws ERR_NEOX_UNSUPPORTED for heads of more than kMostHeadDim dimensions,
    // ERR_NEOX_OUT_OF_MEMORY.
    KvCache(const Config& config, KvType type, std::int32_t layer_begin, std::int32_t layer_end,
            std::int32_t n_blocks);

    // Of a layer in the range.
    KvView layer(std::int32_t index) const;
    // Bytes of a block outside, over the layers of the range.
    std::size_t block_bytes() const { return outside_layer_bytes_ * static_cast<std::size_t>(n_layers_); }

    // See Backend. ERR_NEOX_INTERNAL for a block that the pool does not have. copy() is work of the stream; the others wait
    // for it.
    void copy(Stream& stream, std::int32_t from, std::int32_t to) const;
    void read(Stream& stream, std::int32_t block, void* dst) const;
    void write(Stream& stream, std::int32_t block, const void* src) const;
    void rotate(Stream& stream, const RopeTable& rope, const std::int32_t* blocks, std::int32_t n_blocks,
                std::int32_t delta) const;

private:
    void check_block(std::int32_t block) const;
    // Calls step(first layer, layers, bytes before it in a block outside, bytes) for pieces that staging_ holds.
    template <class Step> void each_piece(Step&& step) const;

    KvView view_;  // of the first layer
    std::int32_t layer_begin_, n_layers_, n_rot_;
    std::size_t outside_layer_bytes_;
    DeviceBuffer<std::byte> memory_;
    mutable DeviceBuffer<std::byte> staging_;  // made by the first read or write
};

}  // namespace neox::cuda
