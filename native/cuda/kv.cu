#include "cuda/kv.h"

#include <algorithm>
#include <vector>

#include "base/checked.h"
#include "base/error.h"
#include "cuda/kv.cuh"
#include "cuda/rope.cuh"
#include "model/rope_table.h"

namespace neox::cuda {

namespace {

constexpr int kThreads = 256, kRotateThreads = 128;
constexpr std::size_t kStagingBytes = std::size_t{8} << 20;

struct CopyArgs {
    std::byte* memory;
    std::int64_t layer_bytes, block_bytes;  // of a block in one layer
    std::int32_t from, to;
};

NEOX_KERNEL void NEOX_BOUNDS(kThreads, 1) copy_block_kernel(CopyArgs a) {
    wait_for_previous_kernel();
    std::byte* layer = a.memory + block_id().y * a.layer_bytes;
    const std::byte* from = layer + a.from * a.block_bytes;
    std::byte* to = layer + a.to * a.block_bytes;
    const std::int64_t step = std::int64_t{16} * kThreads * grid_size().x;
    for (std::int64_t at = 16 * (std::int64_t{kThreads} * block_id().x + thread_id()); at < a.block_bytes;
         at += step)
        store_16(to + at, load_16_cached(from + at));
}

struct ExchangeArgs {
    KvView kv;           // of the first of these layers
    std::byte* outside;  // [layers][K|V][head] tiles as kernels/kernels.h has them
    std::int64_t tile_bytes;
    std::int32_t block;
};

// Where element (position, d) lies in a tile outside, and how many of them there are for one position.
NEOX_DEVICE int outside_at(Side side, const KvView& kv, int position, int d) {
    return side == Side::keys ? d * kTilePositions + position : position * kv.head_dim + d;
}
NEOX_DEVICE int outside_code_at(Side side, const KvView& kv, int position, int d) {
    if (side == Side::keys) return d / 4 * 4 * kTilePositions + position * 4 + d % 4;
    return (kv.head_dim + 3) / 4 * 16 * (position / 4) + d * 4 + position % 4;
}

template <class Element, bool is_read>
NEOX_DEVICE void exchange_elements(const KvView& kv, Side side, std::byte* tile, std::byte* outside) {
    auto* inner = reinterpret_cast<Element*>(tile);
    auto* outer = reinterpret_cast<Element*>(outside);
    for (int at = thread_id(); at < kTilePositions * kv.dim; at += kThreads) {
        const int position = at / kv.dim, d = at % kv.dim;
        if (is_read) {
            if (d < kv.head_dim) outer[outside_at(side, kv, position, d)] = inner[at];
        } else {
            inner[at] = d < kv.head_dim ? outer[outside_at(side, kv, position, d)] : Element{0};
        }
    }
}

template <bool is_read>
NEOX_DEVICE void exchange_codes(const KvView& kv, Side side, std::byte* tile, std::byte* outside) {
    auto* inner_scales = reinterpret_cast<std::uint16_t*>(tile + kTilePositions * kv.dim);
    auto* outer_scales = reinterpret_cast<std::uint16_t*>(outside);
    for (int at = thread_id(); at < kTilePositions * kv.n_scales; at += kThreads) {
        const int outer = at % kv.n_scales * kTilePositions + at / kv.n_scales;
        if (is_read)
            outer_scales[outer] = inner_scales[at];
        else
            inner_scales[at] = outer_scales[outer];
    }
    auto* inner = reinterpret_cast<std::uint8_t*>(tile);
    auto* outer = reinterpret_cast<std::uint8_t*>(outside) + 2 * kTilePositions * kv.n_scales;
    for (int at = thread_id(); at < kTilePositions * kv.dim; at += kThreads) {
        const int position = at / kv.dim, d = at % kv.dim;
        if (is_read) {
            // Outside, dimensions are rounded up to four.
            if (d < (kv.head_dim + 3) / 4 * 4)
                outer[outside_code_at(side, kv, position, d)] = d < kv.head_dim ? inner[at] : std::uint8_t{0};
        } else {
            inner[at] = d < kv.head_dim ? outer[outside_code_at(side, kv, position, d)] : std::uint8_t{128};
        }
    }
}

// One tile a block: x the head, y the side, z the layer.
template <bool is_read> NEOX_KERNEL void NEOX_BOUNDS(kThreads, 1) exchange_kernel(ExchangeArgs a) {
    wait_for_previous_kernel();
    const Index3 id = block_id();
    const Side side = static_cast<Side>(id.y);
    KvView kv = a.kv;
    kv.memory += id.z * kv.layer_bytes;
    std::byte* tile = kv_tile(kv, a.block, side, id.x);
    std::byte* outside = a.outside + ((std::int64_t{id.z} * 2 + id.y) * kv.n_head + id.x) * a.tile_bytes;
    switch (kv.type) {
        case KvType::f32: exchange_elements<std::uint32_t, is_read>(kv, side, tile, outside); break;
        case KvType::f16: exchange_elements<std::uint16_t, is_read>(kv, side, tile, outside); break;
        case KvType::q8_0: exchange_codes<is_read>(kv, side, tile, outside); break;
    }
}

struct RotateArgs {
    KvView kv;  // of the first layer
    const std::int32_t* blocks;
    const float* turn;  // a row of a rotary table
    std::int32_t n_rot;
};

// One tile of keys a block: x the head, y the layer, z one of the blocks; a warp takes a position at a time.
template <KvType type> NEOX_KERNEL void NEOX_BOUNDS(kRotateThreads, 1) rotate_kernel(RotateArgs a) {
    wait_for_previous_kernel();
    const Index3 id = block_id();
    KvView kv = a.kv;
    kv.memory += id.y * kv.layer_bytes;
    std::byte* tile = kv_tile(kv, a.blocks[id.z], Side::keys, id.x);
    float* row = shared_as<float>() + warp() * kv.dim;
    for (int position = warp(); position < kTilePositions; position += kRotateThreads / 32) {
        for (int d = lane(); d < kv.head_dim; d += 32) row[d] = load_element<type>(kv, tile, position, d);
        sync_warp();
        store_position<type>(kv, tile, position, [&](int d) { return rotated(row, d, a.turn, a.n_rot); });
        sync_warp();
    }
}

int round_up(int n, int unit) { return (n + unit - 1) / unit * unit; }

KvView make_view(const Config& config, KvType type, std::int32_t n_blocks) {
    const std::int32_t head_dim = config.head_dim();
    if (head_dim > kMostHeadDim)
        fail(ErrorCode::unsupported, "Heads of ", head_dim, " dimensions: CUDA takes up to ", kMostHeadDim,
             ".");
    KvView v{};
    v.type = type;
    v.n_head = config.n_head;
    v.head_dim = head_dim;
    v.dim = round_up(head_dim, 16);
    v.n_scales = type == KvType::q8_0 ? (head_dim + 31) / 32 : 0;
    v.row_bytes = v.dim * (type == KvType::f32 ? 4 : type == KvType::f16 ? 2 : 1);
    v.n_blocks = n_blocks;
    v.tile_bytes = std::int64_t{kTilePositions} * (v.row_bytes + 2 * v.n_scales);
    const std::uint64_t tiles = checked_mul(2 * static_cast<std::uint64_t>(config.n_head),
                                            static_cast<std::uint64_t>(n_blocks), "KV pool");
    v.layer_bytes =
        static_cast<std::int64_t>(checked_mul(tiles, static_cast<std::uint64_t>(v.tile_bytes), "KV pool"));
    return v;
}

}  // namespace

std::uint64_t kv_memory_bytes(const Config& config, KvType type, std::int32_t n_layers,
                              std::int32_t n_blocks) {
    return checked_mul(static_cast<std::uint64_t>(make_view(config, type, n_blocks).layer_bytes),
                       static_cast<std::uint64_t>(n_layers), "KV pool");
}

KvCache::KvCache(const Config& config, KvType type, std::int32_t layer_begin, std::int32_t layer_end,
                 std::int32_t n_blocks)
    : view_(make_view(config, type, n_blocks)), layer_begin_(layer_begin), n_layers_(layer_end - layer_begin),
      n_rot_(config.n_rot),
      outside_layer_bytes_(2 * static_cast<std::size_t>(config.n_head) *
                           static_cast<std::size_t>(kv_tile_bytes(type, config.head_dim()))),
      memory_(kv_memory_bytes(config, type, n_layers_, n_blocks)) {
    view_.memory = memory_.data();
}

KvView KvCache::layer(std::int32_t index) const {
    if (index < layer_begin_ || index >= layer_begin_ + n_layers_)
        fail(ErrorCode::internal, "Layer ", index, " has no KV memory here: [", layer_begin_, ", ",
             layer_begin_ + n_layers_, ").");
    KvView view = view_;
    view.memory += (index - layer_begin_) * view_.layer_bytes;
    return view;
}

void KvCache::check_block(std::int32_t block) const {
    if (block < 0 || block >= view_.n_blocks)
        fail(ErrorCode::internal, "KV block ", block, " is outside the pool of ", view_.n_blocks, ".");
}

void KvCache::copy(Stream& stream, std::int32_t from, std::int32_t to) const {
    check_block(from);
    check_block(to);
    if (from == to || n_layers_ == 0) return;
    const std::int64_t block_bytes = 2 * view_.n_head * view_.tile_bytes;
    const std::int64_t pieces = (block_bytes + 16 * kThreads - 1) / (16 * kThreads);
    const CopyArgs args{view_.memory, view_.layer_bytes, block_bytes, from, to};
    stream.launch(
        copy_block_kernel,
        {.x = static_cast<int>(std::min<std::int64_t>(pieces, 64)), .y = n_layers_, .n_threads = kThreads},
        args);
}

template <class Step> void KvCache::each_piece(Step&& step) const {
    const std::size_t most = std::max<std::size_t>(1, kStagingBytes / outside_layer_bytes_);
    const int n = static_cast<int>(std::min<std::size_t>(most, static_cast<std::size_t>(n_layers_)));
    if (staging_.size() == 0) staging_.reset(static_cast<std::size_t>(n) * outside_layer_bytes_);
    for (int first = 0; first < n_layers_; first += n) {
        const int layers = std::min(n, n_layers_ - first);
        step(first, layers, static_cast<std::size_t>(first) * outside_layer_bytes_,
             static_cast<std::size_t>(layers) * outside_layer_bytes_);
    }
}

void KvCache::read(Stream& stream, std::int32_t block, void* dst) const {
    check_block(block);
    each_piece([&](int first, int layers, std::size_t before, std::size_t bytes) {
        ExchangeArgs args{view_, staging_.data(), kv_tile_bytes(view_.type, view_.head_dim), block};
        args.kv.memory += first * view_.layer_bytes;
        stream.launch(exchange_kernel<true>, {.x = view_.n_head, .y = 2, .z = layers, .n_threads = kThreads},
                      args);
        stream.copy_to_host(static_cast<std::byte*>(dst) + before, staging_.data(), bytes);
        stream.synchronize();
    });
}

void KvCache::write(Stream& stream, std::int32_t block, const void* src) const {
    check_block(block);
    each_piece([&](int first, int layers, std::size_t before, std::size_t bytes) {
        stream.copy_to_device(staging_.data(), static_cast<const std::byte*>(src) + before, bytes);
        ExchangeArgs args{view_, staging_.data(), kv_tile_bytes(view_.type, view_.head_dim), block};
        args.kv.memory += first * view_.layer_bytes;
        stream.launch(exchange_kernel<false>, {.x = view_.n_head, .y = 2, .z = layers, .n_threads = kThreads},
                      args);
        stream.synchronize();
    });
}

void KvCache::rotate(Stream& stream, const RopeTable& rope, const std::int32_t* blocks, std::int32_t n_blocks,
                     std::int32_t delta) const {
    std::vector<float> turn, sin;
    rope.set_turn(-delta, turn, sin);
    for (std::int32_t i = 0; i < n_blocks; ++i) check_block(blocks[i]);
    if (n_blocks == 0 || n_layers_ == 0 || n_rot_ == 0) return;
    turn.insert(turn.end(), sin.begin(), sin.end());
    constexpr std::int32_t kMost = 32768;  // blocks of one launch
    const DeviceBuffer<std::int32_t> ids(static_cast<std::size_t>(n_blocks));
    const DeviceBuffer<float> row(turn.size());
    stream.copy_to_device(ids.data(), blocks, ids.bytes());
    stream.copy_to_device(row.data(), turn.data(), row.bytes());
    const auto kernel = view_.type == KvType::f32   ? rotate_kernel<KvType::f32>
                        : view_.type == KvType::f16 ? rotate_kernel<KvType::f16>
                                                    : rotate_kernel<KvType::q8_0>;
    for (std::int32_t first = 0; first < n_blocks; first += kMost)
        stream.launch(
            kernel,
            {.x = view_.n_head,
             .y = n_layers_,
             .z = std::min(kMost, n_blocks - first),
             .n_threads = kRotateThreads,
             .shared_bytes = sizeof(float) * kRotateThreads / 32 * static_cast<std::size_t>(view_.dim)},
            RotateArgs{view_, ids.data() + first, row.data(), n_rot_});
    stream.synchronize();
}

}  // namespace neox::cuda
