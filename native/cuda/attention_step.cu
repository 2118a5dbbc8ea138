#include "cuda/attention_step.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "cuda/store_kv.cuh"

namespace neox::cuda {

namespace {

constexpr int kThreads = 128, kWarps = kThreads / 32;
constexpr std::uint64_t kScratchBytes = std::uint64_t{64} << 20;
constexpr std::int32_t kMostRowsAtOnce = 64;

struct StepArgs {
    LayerAttention layer;
    const RowGroup* groups;
    float* sums;
    float* totals;
    std::int32_t* tickets;
    std::int32_t row;       // whose sums come first
    std::int32_t n_splits;  // room in sums and totals
    float scale;            // of products of q and k: log2(e) / sqrt(head_dim), for powers of two
    bool stores;
};

// The block's shared memory.
template <KvType type, int kRows> struct StepShared {
    static constexpr int kParts = kThreads * KvChunk<type>::kSize;
    NEOX_DEVICE explicit StepShared(int dim)
        : q(shared_as<float>()), weights(q + kRows * dim), parts(weights + kRows * kTilePositions),
          max(parts + kParts), total(max + kRows), n_seen(reinterpret_cast<int*>(total + kRows)),
          is_last(n_seen + kRows) {}
    static std::size_t bytes(int dim) {
        return sizeof(float) *
               static_cast<std::size_t>(kRows * dim + kRows * kTilePositions + kParts + 3 * kRows + 1);
    }

    float* q;        // [kRows][dim], rotated and scaled
    float* weights;  // [kRows][64]: scores, then their powers
    float* parts;    // [kThreads][chunk]: of sums over positions
    float* max;      // [kRows]
    float* total;    // [kRows]
    int* n_seen;     // [kRows]: positions of the tile that a row sees
    int* is_last;
};

// weights = products of q with the tile's keys. A warp takes 16 positions, four lanes one of them, two at a time.
template <KvType type, int kRows>
NEOX_DEVICE void find_scores(const KvView& kv, const std::byte* tile, int n,
                             const StepShared<type, kRows>& s) {
    constexpr int kSize = KvChunk<type>::kSize, kBatch = kSize == 16 ? 2 : 4;
    const int n_chunks = kv.dim / kSize, first_chunk = lane() % 4, first = warp() * 16 + lane() / 4;
    float sums[kRows][2] = {};
    for (int begin = first_chunk; begin < n_chunks; begin += 4 * kBatch) {
        Words4 words[2][kBatch];
        NEOX_UNROLL
        for (int i = 0; i < 2; ++i) {
            NEOX_UNROLL
            for (int b = 0; b < kBatch; ++b) {
                const int position = first + 8 * i, chunk = begin + 4 * b;
                words[i][b] = {};
                if (position < n && chunk < n_chunks)
                    words[i][b] = load_16_cached(tile + position * kv.row_bytes + 16 * chunk);
            }
        }
        NEOX_UNROLL
        for (int b = 0; b < kBatch; ++b) {
            const int d = (begin + 4 * b) * kSize;
            if (d >= kv.dim) continue;
            NEOX_UNROLL
            for (int i = 0; i < 2; ++i) {
                const int position = first + 8 * i;
                float k[kSize];
                KvChunk<type>::unpack(words[i][b], k);
                const float scale = position < n ? kv_scale<type>(kv, tile, position, d) : 0.0f;
                NEOX_UNROLL
                for (int r = 0; r < kRows; ++r) {
                    const float* q = s.q + r * kv.dim + d;
                    // A chunk of codes has one scale.
                    float sum = type == KvType::q8_0 ? 0.0f : sums[r][i];
                    NEOX_UNROLL
                    for (int e = 0; e < kSize; ++e) sum = fmaf_(q[e], k[e], sum);
                    sums[r][i] = type == KvType::q8_0 ? fmaf_(sum, scale, sums[r][i]) : sum;
                }
            }
        }
    }
    NEOX_UNROLL
    for (int r = 0; r < kRows; ++r) {
        NEOX_UNROLL
        for (int i = 0; i < 2; ++i) {
            float sum = sums[r][i];
            sum += shuffle_xor(sum, 1);
            sum += shuffle_xor(sum, 2);
            if (first_chunk == 0) s.weights[r * kTilePositions + first + 8 * i] = sum;
        }
    }
}

// weights = powers of the scores of the positions that are seen, their maximum and sum. A warp takes a row.
template <KvType type, int kRows> NEOX_DEVICE void find_weights(const StepShared<type, kRows>& s) {
    for (int r = warp(); r < kRows; r += kWarps) {
        float* weights = s.weights + r * kTilePositions;
        const int n = s.n_seen[r];
        const bool sees_first = lane() < n, sees_second = lane() + 32 < n;
        const float first = sees_first ? weights[lane()] : -infinity();
        const float second = sees_second ? weights[lane() + 32] : -infinity();
        const float max = warp_max(first > second ? first : second);
        const float a = sees_first ? exp2f_(first - max) : 0.0f,
                    b = sees_second ? exp2f_(second - max) : 0.0f;
        const float total = warp_sum(a + b);
        weights[lane()] = a;
        weights[lane() + 32] = b;
        if (lane() == 0) {
            s.max[r] = max;
            s.total[r] = total;
        }
    }
}

// Threads of one chunk of dimensions: a power of two, so that the others share the positions evenly.
NEOX_DEVICE int chunk_threads(int n_chunks) {
    int n = 1;
    while (n < n_chunks && n < kThreads) n *= 2;
    return n;
}

// Calls put(row of the group, dimension, sum over positions of weight * value) for every row that sees something of the tile.
template <KvType type, int kRows, class Put>
NEOX_DEVICE void add_values(const KvView& kv, const std::byte* tile, int n, const StepShared<type, kRows>& s,
                            Put&& put) {
    constexpr int kSize = KvChunk<type>::kSize, kBatch = kRows == 1 && kSize < 16 ? 8 : 4;
    constexpr int kAtOnce = kSize == 16 && kRows > 4 ? 4 : kRows;  // rows whose sums fit into registers
    const int n_chunks = kv.dim / kSize, width = chunk_threads(n_chunks), n_parts = kThreads / width;
    const int part = thread_id() / width, lane_chunk = thread_id() % width;
    for (int base = 0; base < n_chunks; base += width)
        for (int row = 0; row < kRows; row += kAtOnce) {
            float sums[kAtOnce][kSize] = {};
            const int chunk = base + lane_chunk;
            for (int begin = part; chunk < n_chunks && begin < n; begin += n_parts * kBatch) {
                Words4 words[kBatch];
                NEOX_UNROLL
                for (int b = 0; b < kBatch; ++b) {
                    const int position = begin + b * n_parts;
                    words[b] = {};
                    if (position < n) words[b] = load_16_cached(tile + position * kv.row_bytes + 16 * chunk);
                }
                NEOX_UNROLL
                for (int b = 0; b < kBatch; ++b) {
                    const int position = begin + b * n_parts;
                    if (position >= n) continue;
                    float v[kSize];
                    KvChunk<type>::unpack(words[b], v);
                    const float scale = kv_scale<type>(kv, tile, position, chunk * kSize);
                    NEOX_UNROLL
                    for (int r = 0; r < kAtOnce; ++r) {
                        if (position >= s.n_seen[row + r]) continue;
                        const float weight = s.weights[(row + r) * kTilePositions + position] * scale;
                        NEOX_UNROLL
                        for (int e = 0; e < kSize; ++e) sums[r][e] = fmaf_(weight, v[e], sums[r][e]);
                    }
                }
            }
            NEOX_UNROLL
            for (int r = 0; r < kAtOnce; ++r) {
                if (s.n_seen[row + r] == 0) continue;  // the same for all threads
                NEOX_UNROLL
                for (int e = 0; e < kSize; e += 4)
                    store_16(s.parts + thread_id() * kSize + e,
                             {{bits_of_float(sums[r][e]), bits_of_float(sums[r][e + 1]),
                               bits_of_float(sums[r][e + 2]), bits_of_float(sums[r][e + 3])}});
                sync_block();
                const int first = base * kSize,
                          end = first + width * kSize < kv.dim ? first + width * kSize : kv.dim;
                for (int d = first + thread_id(); d < end; d += kThreads) {
                    float sum = 0.0f;
                    for (int p = 0; p < n_parts; ++p) sum += s.parts[p * width * kSize + d - first];
                    put(row + r, d, sum);
                }
                sync_block();
            }
        }
}

// The sums of one row and head, put together in the order of the splits.
NEOX_DEVICE void combine(const float* sums, const float* totals, int n, const KvView& kv, float* out) {
    float max = -infinity();
    for (int i = lane(); i < n; i += 32) max = totals[2 * i] > max ? totals[2 * i] : max;
    max = warp_max(max);
    float total = 0.0f;
    for (int i = lane(); i < n; i += 32) total = fmaf_(exp2f_(totals[2 * i] - max), totals[2 * i + 1], total);
    const float inverse = 1.0f / warp_sum(total);
    constexpr int kBatch = 8;
    for (int d = thread_id(); d < kv.head_dim; d += kThreads) {
        float sum = 0.0f;
        for (int begin = 0; begin < n; begin += kBatch) {
            float x[kBatch], m[kBatch];
            NEOX_UNROLL
            for (int i = 0; i < kBatch; ++i) {
                x[i] = begin + i < n ? sums[(begin + i) * kv.dim + d] : 0.0f;
                m[i] = begin + i < n ? totals[2 * (begin + i)] : -infinity();
            }
            NEOX_UNROLL
            for (int i = 0; i < kBatch; ++i)
                if (begin + i < n) sum = fmaf_(exp2f_(m[i] - max), x[i], sum);
        }
        out[d] = sum * inverse;
    }
}

// x the split, y the head, z the group.
template <KvType type, int kRows>
NEOX_KERNEL void NEOX_BOUNDS(kThreads, kRows == 1 ? 6 : 4) attention_step_kernel(StepArgs args) {
    const LayerAttention& a = args.layer;
    const KvView& kv = a.kv;
    const int split = block_id().x, head = block_id().y;
    const RowGroup group = args.groups[block_id().z];
    let_next_kernel_start();
    const DeviceRow last = a.rows[group.n_rows > 0 ? group.row + group.n_rows - 1 : 0];
    const int n_splits = group.n_rows > 0 ? last.pos / kTilePositions + 1 : 0;
    const std::byte *keys = nullptr, *values = nullptr;
    if (split < n_splits) {
        const std::int32_t block = block_of(a, last.sequence, split);
        keys = kv_tile(kv, block, Side::keys, head);
        values = kv_tile(kv, block, Side::values, head);
        for (std::int64_t at = 128 * thread_id(); at < kv.tile_bytes; at += 128 * kThreads) {
            prefetch(keys + at);
            prefetch(values + at);
        }
    }
    wait_for_previous_kernel();
    if (split >= n_splits) return;

    const StepShared<type, kRows> s(kv.dim);
    const int n = last.pos + 1 - split * kTilePositions < kTilePositions
                      ? last.pos + 1 - split * kTilePositions
                      : kTilePositions;
    if (args.stores)
        for (int i = group.row + warp(); i < group.row + group.n_rows; i += kWarps)
            if (a.rows[i].pos / kTilePositions == split) store_row<type>(a, i, head);
    for (int r = 0; r < kRows; ++r) {
        const bool is_there = r < group.n_rows;
        const DeviceRow row = a.rows[is_there ? group.row + r : group.row];
        const float* q = query_of(a, group.row + r, head);
        for (int d = thread_id(); d < kv.dim; d += kThreads)
            s.q[r * kv.dim + d] =
                is_there && d < kv.head_dim ? rotated(q, d, rope_of(a, row), a.n_rot) * args.scale : 0.0f;
        const int left = is_there ? row.pos + 1 - split * kTilePositions : 0;
        if (thread_id() == 0) s.n_seen[r] = left < 0 ? 0 : left < kTilePositions ? left : kTilePositions;
    }
    sync_block();
    find_scores(kv, keys, n, s);
    sync_block();
    find_weights(s);
    sync_block();
    add_values(kv, values, n, s, [&](int r, int d, float sum) {
        const int row = group.row + r;
        if (a.rows[row].pos < kTilePositions) {
            if (d < kv.head_dim)
                a.out[row * a.out_stride + head * kv.head_dim + d] = sum * (1.0f / s.total[r]);
            return;
        }
        const std::int64_t at = (std::int64_t{row - args.row} * kv.n_head + head) * args.n_splits + split;
        args.sums[at * kv.dim + d] = sum;
        if (d == 0) {
            args.totals[2 * at] = s.max[r];
            args.totals[2 * at + 1] = s.total[r];
        }
    });
    if (n_splits == 1) return;

    std::int32_t* ticket = args.tickets + block_id().z * kv.n_head + head;
    thread_fence();
    sync_block();
    if (thread_id() == 0) *s.is_last = atomic_add(ticket, 1) == n_splits - 1;
    sync_block();
    if (!*s.is_last) return;
    thread_fence();
    if (thread_id() == 0) *ticket = 0;
    for (int r = 0; r < group.n_rows; ++r) {
        const int row = group.row + r, pos = a.rows[row].pos;
        if (pos < kTilePositions) continue;
        const std::int64_t at = (std::int64_t{row - args.row} * kv.n_head + head) * args.n_splits;
        combine(args.sums + at * kv.dim, args.totals + 2 * at, pos / kTilePositions + 1, kv,
                a.out + row * a.out_stride + head * kv.head_dim);
    }
}

template <KvType type, int kRows>
void launch_rows(Stream& stream, const StepArgs& args, const StepSlice& slice) {
    stream.launch(attention_step_kernel<type, kRows>,
                  {.x = slice.n_splits,
                   .y = args.layer.kv.n_head,
                   .z = slice.n_groups,
                   .n_threads = kThreads,
                   .shared_bytes = StepShared<type, kRows>::bytes(args.layer.kv.dim),
                   .may_overlap = true},
                  args);
}

template <KvType type> void launch_type(Stream& stream, const StepArgs& args, const StepSlice& slice) {
    switch (slice.group_rows) {
        case 1: return launch_rows<type, 1>(stream, args, slice);
        case 2: return launch_rows<type, 2>(stream, args, slice);
        case 4: return launch_rows<type, 4>(stream, args, slice);
        case 8: return launch_rows<type, 8>(stream, args, slice);
        default: fail(ErrorCode::internal, "A group of ", slice.group_rows, " rows.");
    }
}

std::int32_t room_for_splits(std::int32_t n_ctx) {
    // Rows of `totals` are then whole lines of 128 bytes, and so are those of `sums`: no line that a multiprocessor has in its
    // cache holds what another one has yet to write.
    return ((n_ctx + kTilePositions - 1) / kTilePositions + 15) / 16 * 16;
}

std::uint64_t floats_of_row(const Config& config, std::int32_t n_ctx) {
    const int dim = (config.head_dim() + 15) / 16 * 16;
    return static_cast<std::uint64_t>(config.n_head) * static_cast<std::uint64_t>(room_for_splits(n_ctx)) *
           static_cast<std::uint64_t>(dim + 2);
}

std::int32_t rows_at_once(const Config& config, std::int32_t n_ctx, std::int32_t max_rows) {
    const std::uint64_t fit = kScratchBytes / (sizeof(float) * floats_of_row(config, n_ctx));
    const auto n = static_cast<std::int32_t>(std::min<std::uint64_t>(fit, kMostRowsAtOnce));
    return std::max<std::int32_t>(step_rows(config.head_dim()), std::min(n, max_rows));
}

}  // namespace

StepScratch::StepScratch(Stream& stream, const Config& config, std::int32_t n_ctx, std::int32_t max_rows)
    : n_rows_(rows_at_once(config, n_ctx, max_rows)), n_splits_(room_for_splits(n_ctx)) {
    const std::size_t n = static_cast<std::size_t>(n_rows_) * static_cast<std::size_t>(config.n_head);
    const std::size_t n_sums = n * static_cast<std::size_t>(n_splits_);
    sums_.reset(n_sums * static_cast<std::size_t>((config.head_dim() + 15) / 16 * 16));
    totals_.reset(2 * n_sums);
    tickets_.reset(n);
    stream.fill_zero(tickets_.data(), tickets_.bytes());
}

std::uint64_t StepScratch::bytes(const Config& config, std::int32_t n_ctx, std::int32_t max_rows) {
    const std::uint64_t per_row = floats_of_row(config, n_ctx) * sizeof(float) +
                                  sizeof(std::int32_t) * static_cast<std::uint64_t>(config.n_head);
    return per_row * static_cast<std::uint64_t>(rows_at_once(config, n_ctx, max_rows));
}

void launch_attention_step(Stream& stream, const LayerAttention& attention, const StepScratch& scratch,
                           const RowGroup* groups, const StepSlice& slice, bool stores) {
    if (slice.n_groups == 0) return;
    if (slice.n_splits > scratch.n_splits() || slice.n_groups > scratch.n_rows())
        fail(ErrorCode::internal, "Attention of ", slice.n_groups, " groups with ", slice.n_splits,
             " splits has no room.");
    const double scale = 1.4426950408889634 / std::sqrt(static_cast<double>(attention.kv.head_dim));
    const StepArgs args{attention,          groups + slice.group,      scratch.sums(),
                        scratch.totals(),   scratch.tickets(),         slice.row,
                        scratch.n_splits(), static_cast<float>(scale), stores};
    switch (attention.kv.type) {
        case KvType::f32: return launch_type<KvType::f32>(stream, args, slice);
        case KvType::f16: return launch_type<KvType::f16>(stream, args, slice);
        case KvType::q8_0: return launch_type<KvType::q8_0>(stream, args, slice);
    }
}

}  // namespace neox::cuda
