#include "cuda/attention_prompt.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "cuda/store_kv.cuh"

namespace neox::cuda {

namespace {

constexpr int kThreads = 128;
constexpr int kKeyTiles = kTilePositions / 8;  // of eight keys: columns of one mma
// Powers are 2^(score - largest + 8): small ones keep their bits in f16, whose smallest normal number is 2^-14.
constexpr float kPowerShift = 8.0f;

struct PromptArgs {
    LayerAttention layer;
    const RowGroup* tiles;
    std::int32_t n_tiles;
    float scale;  // log2(e) / sqrt(head_dim)
};

// kSteps: of 16 dimensions. Rows are 16 bytes longer than their elements, so that eight of them lie in different banks.
template <int kSteps> struct PromptShape {
    static constexpr int kDim = 16 * kSteps, kStride = kDim + 8;
    static constexpr std::size_t kMatrixBytes = 2 * kTilePositions * kStride;
    static constexpr std::size_t kBytes = 3 * kMatrixBytes;  // queries, keys, values
    static_assert(kBytes <= kLeastSharedBytes);
};

// The first n positions of a tile to shared memory as f16 [64][kStride], zeros behind them. Of f16 it is there after the next
// cp_async_wait.
template <KvType type, int kSteps>
NEOX_DEVICE void fetch(const KvView& kv, const std::byte* tile, int n, std::uint16_t* to) {
    using Shape = PromptShape<kSteps>;
    constexpr int kSize = KvChunk<type>::kSize, kChunks = Shape::kDim / kSize;
    for (int i = thread_id(); i < kTilePositions * kChunks; i += kThreads) {
        const int position = i / kChunks, chunk = i % kChunks;
        const bool is_there = position < n && chunk * kSize < kv.dim;
        std::uint16_t* place = to + position * Shape::kStride + chunk * kSize;
        const std::byte* from = is_there ? tile + position * kv.row_bytes + 16 * chunk : tile;
        if constexpr (type == KvType::f16) {
            cp_async_16_or_zero(place, from, is_there);
        } else {
            Words4 halves[2] = {};
            if (is_there) {
                float codes[16];
                KvChunk<type>::unpack(load_16_cached(from), codes);
                const float scale = kv_scale<type>(kv, tile, position, chunk * kSize);
                NEOX_UNROLL
                for (int j = 0; j < 8; ++j)
                    halves[j / 4].x[j % 4] = pack_f16(scale * codes[2 * j], scale * codes[2 * j + 1]);
            }
            store_16(place, halves[0]);
            store_16(place + 8, halves[1]);
        }
    }
    cp_async_commit();
}

// The rotated and scaled queries of the tile's rows, each at its position in the block of 64, zeros elsewhere.
template <int kSteps>
NEOX_DEVICE void fetch_queries(const PromptArgs& args, const RowGroup& tile, int first, int head,
                               std::uint16_t* to) {
    using Shape = PromptShape<kSteps>;
    const LayerAttention& a = args.layer;
    for (int i = thread_id(); i < kTilePositions * Shape::kDim / 2; i += kThreads) {
        const int place = i / (Shape::kDim / 2), d = i % (Shape::kDim / 2) * 2,
                  row = tile.row + place - first;
        float x = 0.0f, y = 0.0f;
        if (place >= first && place < first + tile.n_rows) {
            const float* q = query_of(a, row, head);
            const float* rope = rope_of(a, a.rows[row]);
            if (d < a.kv.head_dim) x = rotated(q, d, rope, a.n_rot) * args.scale;
            if (d + 1 < a.kv.head_dim) y = rotated(q, d + 1, rope, a.n_rot) * args.scale;
        }
        *reinterpret_cast<std::uint32_t*>(to + place * Shape::kStride + d) = pack_f16(x, y);
    }
}

// What a warp knows of its 16 rows; each thread of two of them, lane / 4 and 8 below.
template <int kSteps> struct PromptRows {
    float sums[2 * kSteps][4] = {};  // of values, 8 dimensions each
    float max[2] = {-infinity(), -infinity()};
    float total[2] = {};  // of this thread's keys
};

// scores = queries keys^T: 16 rows, 64 keys.
template <int kSteps>
NEOX_DEVICE void find_scores(const std::uint16_t* queries, const std::uint16_t* keys,
                             float (&scores)[kKeyTiles][4]) {
    constexpr int kStride = PromptShape<kSteps>::kStride;
    const int l = lane();
    const std::uint16_t* q = queries + (l % 16) * kStride + l / 16 * 8;
    const std::uint16_t* k = keys + (l % 8 + l / 16 * 8) * kStride + l / 8 % 2 * 8;
    NEOX_UNROLL
    for (int i = 0; i < kKeyTiles; ++i) {
        NEOX_UNROLL
        for (int j = 0; j < 4; ++j) scores[i][j] = 0.0f;
    }
    NEOX_UNROLL
    for (int step = 0; step < kSteps; ++step) {
        std::uint32_t a[4];
        ldmatrix_x4(a, q + 16 * step);
        NEOX_UNROLL
        for (int i = 0; i < kKeyTiles; i += 2) {
            std::uint32_t b[4];
            ldmatrix_x4(b, k + 8 * i * kStride + 16 * step);
            mma_f16(scores[i], a, {b[0], b[1]});
            mma_f16(scores[i + 1], a, {b[2], b[3]});
        }
    }
}

// Scores become pairs of powers in f16, [key tile][row], and the sums shrink to the new maximum.
template <int kSteps>
NEOX_DEVICE void find_powers(float (&scores)[kKeyTiles][4], PromptRows<kSteps>& rows,
                             std::uint32_t (&powers)[kKeyTiles][2]) {
    NEOX_UNROLL
    for (int half = 0; half < 2; ++half) {
        float max = rows.max[half];
        NEOX_UNROLL
        for (int i = 0; i < kKeyTiles; ++i) {
            max = scores[i][2 * half] > max ? scores[i][2 * half] : max;
            max = scores[i][2 * half + 1] > max ? scores[i][2 * half + 1] : max;
        }
        NEOX_UNROLL
        for (int mask = 1; mask <= 2; ++mask) {
            const float other = shuffle_xor(max, mask);
            max = other > max ? other : max;
        }
        const float factor = exp2f_(rows.max[half] - max), offset = max - kPowerShift;
        rows.max[half] = max;
        float total = rows.total[half] * factor;
        NEOX_UNROLL
        for (int i = 0; i < kKeyTiles; ++i) {
            powers[i][half] =
                pack_f16(exp2f_(scores[i][2 * half] - offset), exp2f_(scores[i][2 * half + 1] - offset));
            // Of the powers as they are multiplied, so that the weights sum to one.
            total += first_f16(powers[i][half]) + second_f16(powers[i][half]);
        }
        rows.total[half] = total;
        NEOX_UNROLL
        for (int i = 0; i < 2 * kSteps; ++i) {
            rows.sums[i][2 * half] *= factor;
            rows.sums[i][2 * half + 1] *= factor;
        }
    }
}

// sums += powers values.
template <int kSteps>
NEOX_DEVICE void add_values(const std::uint32_t (&powers)[kKeyTiles][2], const std::uint16_t* values,
                            PromptRows<kSteps>& rows) {
    constexpr int kStride = PromptShape<kSteps>::kStride;
    const int l = lane();
    const std::uint16_t* v = values + l % 16 * kStride + l / 16 * 8;
    NEOX_UNROLL
    for (int i = 0; i < kKeyTiles; i += 2) {
        const std::uint32_t a[4] = {powers[i][0], powers[i][1], powers[i + 1][0], powers[i + 1][1]};
        NEOX_UNROLL
        for (int step = 0; step < kSteps; ++step) {
            std::uint32_t b[4];
            ldmatrix_x4_trans(b, v + 8 * i * kStride + 16 * step);
            mma_f16(rows.sums[2 * step], a, {b[0], b[1]});
            mma_f16(rows.sums[2 * step + 1], a, {b[2], b[3]});
        }
    }
}

// x the head, y the tile of rows.
template <KvType type, int kSteps>
NEOX_KERNEL void NEOX_BOUNDS(kThreads, kSteps <= 8 ? 3 : 2) attention_prompt_kernel(PromptArgs args) {
    using Shape = PromptShape<kSteps>;
    const LayerAttention& a = args.layer;
    let_next_kernel_start();
    wait_for_previous_kernel();
    const int head = block_id().x;
    const RowGroup tile = args.tiles[block_id().y];
    if (tile.n_rows == 0) return;
    const DeviceRow first_row = a.rows[tile.row];
    // Places of the rows in the block of 64 positions, and those that this warp has.
    const int first = first_row.pos % kTilePositions, end = first + tile.n_rows, place = 16 * warp();
    const int last_tile = first_row.pos / kTilePositions;
    const bool is_busy = place < end && place + 16 > first;
    std::uint16_t* queries = shared_as<std::uint16_t>();
    std::uint16_t* keys = shared_as<std::uint16_t>(Shape::kMatrixBytes);
    std::uint16_t* values = shared_as<std::uint16_t>(2 * Shape::kMatrixBytes);
    const auto fetch_tile = [&](int t, Side side, std::uint16_t* to) {
        fetch<type, kSteps>(a.kv, kv_tile(a.kv, block_of(a, first_row.sequence, t), side, head),
                            t < last_tile ? kTilePositions : end, to);
    };
    PromptRows<kSteps> rows;
    fetch_tile(0, Side::keys, keys);
    fetch_queries<kSteps>(args, tile, first, head, queries);
    for (int t = 0; t <= last_tile; ++t) {
        fetch_tile(t, Side::values, values);
        cp_async_wait<1>();
        sync_block();
        float scores[kKeyTiles][4];
        if (is_busy) find_scores<kSteps>(queries + place * Shape::kStride, keys, scores);
        sync_block();
        if (t < last_tile)
            fetch_tile(t + 1, Side::keys, keys);
        else
            cp_async_commit();
        std::uint32_t powers[kKeyTiles][2];
        if (is_busy) {
            if (t == last_tile) {
                NEOX_UNROLL
                for (int i = 0; i < kKeyTiles; ++i) {
                    NEOX_UNROLL
                    for (int j = 0; j < 4; ++j) {
                        const int key = 8 * i + lane() % 4 * 2 + j % 2, row = place + lane() / 4 + j / 2 * 8;
                        if (key > row) scores[i][j] = -infinity();
                    }
                }
            }
            find_powers<kSteps>(scores, rows, powers);
        }
        cp_async_wait<1>();
        sync_block();
        if (is_busy) add_values<kSteps>(powers, values, rows);
        sync_block();
    }
    cp_async_wait<0>();
    if (!is_busy) return;
    NEOX_UNROLL
    for (int half = 0; half < 2; ++half) {
        float total = rows.total[half];
        total += shuffle_xor(total, 1);
        total += shuffle_xor(total, 2);
        const float inverse = 1.0f / total;
        const int at = place + lane() / 4 + 8 * half;
        if (at >= first && at < end) {
            float* out = a.out + (tile.row + at - first) * a.out_stride + head * a.kv.head_dim;
            NEOX_UNROLL
            for (int i = 0; i < 2 * kSteps; ++i) {
                const int d = 8 * i + lane() % 4 * 2;
                if (d < a.kv.head_dim) out[d] = rows.sums[i][2 * half] * inverse;
                if (d + 1 < a.kv.head_dim) out[d + 1] = rows.sums[i][2 * half + 1] * inverse;
            }
        }
    }
}

template <KvType type, int kSteps> void launch_steps(Stream& stream, PromptArgs args) {
    constexpr std::int32_t kMost = 32768;  // tiles of one launch
    const std::int32_t n = args.n_tiles;
    for (std::int32_t first = 0; first < n; first += kMost, args.tiles += kMost) {
        args.n_tiles = std::min(kMost, n - first);
        stream.launch(attention_prompt_kernel<type, kSteps>,
                      {.x = args.layer.kv.n_head,
                       .y = args.n_tiles,
                       .n_threads = kThreads,
                       .shared_bytes = PromptShape<kSteps>::kBytes,
                       .may_overlap = true},
                      args);
    }
}

template <KvType type> void launch_type(Stream& stream, const PromptArgs& args) {
    const int dim = args.layer.kv.dim;
    if (dim <= 64) return launch_steps<type, 4>(stream, args);
    if (dim <= 80) return launch_steps<type, 5>(stream, args);
    if (dim <= 96) return launch_steps<type, 6>(stream, args);
    if (dim <= 128) return launch_steps<type, 8>(stream, args);
    return launch_steps<type, 16>(stream, args);
}

}  // namespace

bool has_prompt_attention(KvType type, int head_dim) { return type != KvType::f32 && head_dim <= 256; }

void launch_attention_prompt(Stream& stream, const LayerAttention& attention, const RowGroup* tiles,
                             std::int32_t n_tiles) {
    if (n_tiles == 0) return;
    if (!has_prompt_attention(attention.kv.type, attention.kv.head_dim))
        fail(ErrorCode::internal, "No tensor cores for heads of ", attention.kv.head_dim, " dimensions in ",
             kKvTypeNames[static_cast<int>(attention.kv.type)], ".");
    const double scale = 1.4426950408889634 / std::sqrt(static_cast<double>(attention.kv.head_dim));
    const PromptArgs args{attention, tiles, n_tiles, static_cast<float>(scale)};
    if (attention.kv.type == KvType::f16)
        launch_type<KvType::f16>(stream, args);
    else
        launch_type<KvType::q8_0>(stream, args);
}

}  // namespace neox::cuda
