// A layer's attention on the emulated device, fed with rows that follow from (text, position), and what it should give, in double
// over keys and values as the CPU's cache keeps them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "check.h"
#include "cuda/attention.h"
#include "cuda/host/runtime_emulated.h"
#include "cuda/rope.h"
#include "kernels/dispatch.h"

namespace attention_rig {

using namespace neox;
using cuda::DeviceBuffer;

inline constexpr KvType kKvTypes[] = {KvType::f32, KvType::f16, KvType::q8_0};
inline constexpr std::int32_t kContext = 320, kMostRows = 160;

inline Config make_config(int n_head, int head_dim, int n_rot) {
    Config c;
    c.n_layer = 2;
    c.n_head = n_head;
    c.n_embd = n_head * head_dim;
    c.n_rot = n_rot;
    c.n_ctx_train = kContext;
    return c;
}

// Of the texts that are equal up to a position, the rows are.
struct Text {
    int seed;
    std::vector<std::int32_t> blocks;
    int fork_of = -1, fork_at = 0;  // positions below fork_at are those of text fork_of

    int seed_at(int pos) const { return pos < fork_at ? fork_of : seed; }
};

struct TestRow {
    int text, pos;
    RowPhase phase;
    int rope_length = 0;  // 0: pos + 1
};

class Rig {
public:
    explicit Rig(const Config& config, KvType type, Precision precision = Precision::high,
                 std::int32_t n_ctx = kContext)
        : c(config), kv(config, type, 0, config.n_layer, 24), rope(config, n_ctx, kMostRows),
          scratch(stream, config, n_ctx, kMostRows), type_(type), precision_(precision),
          // Three numbers of padding: rows of the engine begin at multiples of 32.
          stride_(3 * config.n_embd + 3), host_rope_(config, n_ctx) {}

    std::vector<float> qkv_row(int seed, int pos) const {
        std::vector<float> row(static_cast<std::size_t>(3 * c.n_embd));
        std::uint64_t state =
            static_cast<std::uint64_t>(seed) * 1000003 + static_cast<std::uint64_t>(pos) * 7919 + 17;
        for (float& x : row) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            x = static_cast<float>(static_cast<double>(state >> 40) / (1 << 23) - 1.0) * 2.0f;
        }
        if (pos == nan_at) std::fill(row.begin(), row.end(), NAN);
        return row;
    }

    // What the pass gives, [rows][n_embd]; rows in their slots, prompts first.
    std::vector<float> run(const std::vector<TestRow>& rows, std::int32_t layer = 0) {
        const std::size_t n = rows.size(), n_embd = static_cast<std::size_t>(c.n_embd);
        std::vector<Row> batch_rows(n);
        std::vector<float> qkv(n * static_cast<std::size_t>(stride_), NAN);
        for (std::size_t i = 0; i < n; ++i) {
            const TestRow& row = rows[i];
            batch_rows[i] = {};
            batch_rows[i].sequence = row.text;
            batch_rows[i].pos = row.pos;
            batch_rows[i].rope_length = row.rope_length ? row.rope_length : row.pos + 1;
            batch_rows[i].phase = row.phase;
            const std::vector<float> values =
                qkv_row(texts[static_cast<std::size_t>(row.text)].seed_at(row.pos), row.pos);
            std::copy(values.begin(), values.end(), qkv.begin() + static_cast<std::ptrdiff_t>(i) * stride_);
        }
        const auto& indices =
            rope.prepare(stream, {batch_rows.data(), static_cast<std::int32_t>(n), nullptr, 0});
        std::vector<cuda::DeviceRow> device_rows;
        for (std::size_t i = 0; i < n; ++i)
            device_rows.push_back(
                {rows[i].text, rows[i].pos, indices[i], static_cast<std::int32_t>(rows[i].phase)});
        plan = cuda::plan_attention(device_rows, precision_, type_, c.head_dim(), scratch);
        const std::int64_t blocks_stride = (kContext + 63) / 64 + 1;
        std::vector<std::int32_t> blocks(texts.size() * static_cast<std::size_t>(blocks_stride), -1);
        for (std::size_t i = 0; i < texts.size(); ++i)
            std::copy(texts[i].blocks.begin(), texts[i].blocks.end(),
                      blocks.begin() + static_cast<std::ptrdiff_t>(i) * blocks_stride);

        const auto device_qkv = on_device(qkv);
        const auto on_rows = on_device(device_rows);
        const auto on_blocks = on_device(blocks);
        const auto on_groups = on_device(plan.groups);
        const DeviceBuffer<float> out(n * (n_embd + 1));
        const cuda::LayerAttention attention{kv.layer(layer),
                                             device_qkv.data(),
                                             stride_,
                                             out.data(),
                                             c.n_embd + 1,
                                             on_rows.data(),
                                             static_cast<std::int32_t>(n),
                                             on_blocks.data(),
                                             blocks_stride,
                                             rope.table(),
                                             c.n_rot};
        cuda::launch_attention(stream, attention, plan, scratch, on_groups.data());
        std::vector<float> strided(out.size()), result(n * n_embd);
        stream.copy_to_host(strided.data(), out.data(), out.bytes());
        stream.synchronize();
        for (std::size_t i = 0; i < n; ++i)
            std::copy_n(strided.begin() + static_cast<std::ptrdiff_t>(i * (n_embd + 1)), n_embd,
                        result.begin() + static_cast<std::ptrdiff_t>(i * n_embd));
        return result;
    }

    // Only puts positions [begin, end) of a text into the cache.
    void store(int text, int begin, int end, std::int32_t layer = 0) {
        const Precision kept = std::exchange(precision_, Precision::exact);
        for (int pos = begin; pos < end; pos += kMostRows) {
            std::vector<TestRow> rows;
            // Rows without attention would be quicker, but this also is a use.
            for (int p = pos; p < std::min(end, pos + kMostRows); ++p)
                rows.push_back({text, p, RowPhase::prompt});
            run(rows, layer);
        }
        precision_ = kept;
    }

    // One head's q, k or v of a row, rotated, and keys and values as the cache keeps them.
    std::vector<float> head_of(const TestRow& row, int part, int head) {
        const std::vector<float> all =
            qkv_row(texts[static_cast<std::size_t>(row.text)].seed_at(row.pos), row.pos);
        const int dim = c.head_dim();
        std::vector<float> x(all.begin() + part * c.n_embd + head * dim,
                             all.begin() + part * c.n_embd + (head + 1) * dim);
        if (part < 2) {
            Row one{};
            one.pos = row.pos;
            one.rope_length = row.rope_length ? row.rope_length : row.pos + 1;
            host_rope_.prepare({&one, 1, nullptr, 0});
            scalar().rope(x.data(), host_rope_.row(0).cos, host_rope_.row(0).sin, c.n_rot);
        }
        if (part > 0) {
            const KvSide side = part == 1 ? KvSide::keys : KvSide::values;
            std::vector<std::byte> tile(static_cast<std::size_t>(kv_tile_bytes(type_, dim)) + kKvSlack);
            scalar().store_kv(type_, side, x.data(), dim, tile.data(), 5);
            scalar().load_kv(type_, side, tile.data(), 5, dim, x.data());
        }
        return x;
    }

    // What row should give, and how far tensor cores may be off: the rounding of queries (and, under q8_0, keys) moves scores
    // by a share of the sum of magnitudes, that of powers (and values) moves the sum by a share of the largest value.
    struct Expected {
        std::vector<double> out;
        double largest = 0.0;     // value
        double magnitudes = 0.0;  // largest sum |q k| / sqrt(head_dim) of a position
    };
    Expected expected(const TestRow& row, int head) {
        const int dim = c.head_dim();
        const std::vector<float> q = head_of(row, 0, head);
        std::vector<double> scores;
        Expected e;
        e.out.assign(static_cast<std::size_t>(dim), 0.0);
        for (int pos = 0; pos <= row.pos; ++pos) {
            const std::vector<float> k = head_of({row.text, pos, row.phase, row.rope_length}, 1, head);
            double sum = 0.0, magnitudes = 0.0;
            for (std::size_t d = 0; d < q.size(); ++d) {
                sum += double{q[d]} * double{k[d]};
                magnitudes += std::fabs(double{q[d]} * double{k[d]});
            }
            scores.push_back(sum / std::sqrt(double{1} * dim));
            e.magnitudes = std::max(e.magnitudes, magnitudes / std::sqrt(double{1} * dim));
        }
        const double max = *std::max_element(scores.begin(), scores.end());
        double total = 0.0;
        for (double& score : scores) total += score = std::exp(score - max);
        for (int pos = 0; pos <= row.pos; ++pos) {
            const std::vector<float> v = head_of({row.text, pos, row.phase}, 2, head);
            for (std::size_t d = 0; d < v.size(); ++d) {
                e.out[d] += scores[static_cast<std::size_t>(pos)] / total * double{v[d]};
                e.largest = std::max(e.largest, std::fabs(double{v[d]}));
            }
        }
        return e;
    }

    // Checks some rows of what a pass gave, all heads.
    void check(const std::vector<TestRow>& rows, const std::vector<float>& given,
               const std::vector<std::size_t>& which) {
        const std::size_t dim = static_cast<std::size_t>(c.head_dim());
        for (const std::size_t i : which)
            for (int head = 0; head < c.n_head; ++head) {
                const Expected e = expected(rows[i], head);
                const bool is_f32 = precision_ == Precision::exact || rows[i].phase == RowPhase::step ||
                                    !cuda::has_prompt_attention(type_, c.head_dim());
                const double n_roundings = type_ == KvType::q8_0 ? 2.0 : 1.0;
                const double limit =
                    e.largest * (is_f32 ? 4e-6 : n_roundings * std::ldexp(1.0 + e.magnitudes, -10));
                for (std::size_t d = 0; d < dim; ++d) {
                    const double x = given[i * static_cast<std::size_t>(c.n_embd) +
                                           static_cast<std::size_t>(head) * dim + d];
                    if (!(std::fabs(x - e.out[d]) <= limit))
                        neox_check::failed(__FILE__, __LINE__, "head ", head, " of ", c.n_head,
                                           ", dimension ", d, " of ", dim, ", ",
                                           kKvTypeNames[static_cast<int>(type_)], ", position ", rows[i].pos,
                                           ": ", x, ", expected ", e.out[d], " +- ", limit);
                }
            }
    }

    static const Kernels& scalar() { return *all_kernels().back(); }

    Config c;
    cuda::Stream stream;
    cuda::KvCache kv;
    cuda::DeviceRope rope;
    cuda::StepScratch scratch;
    std::vector<Text> texts;
    int nan_at = -1;           // the position whose rows are NaN
    cuda::AttentionPlan plan;  // of the last pass

private:
    template <class T> DeviceBuffer<T> on_device(const std::vector<T>& values) {
        DeviceBuffer<T> buffer(values.size());
        stream.copy_to_device(buffer.data(), values.data(), buffer.bytes());
        return buffer;
    }

    KvType type_;
    Precision precision_;
    std::int64_t stride_;
    RopeTable host_rope_;
};

inline std::vector<TestRow> rows_of(int text, int begin, int end, RowPhase phase) {
    std::vector<TestRow> rows;
    for (int pos = begin; pos < end; ++pos) rows.push_back({text, pos, phase});
    return rows;
}

inline std::vector<TestRow> joined(std::vector<TestRow> a, const std::vector<TestRow>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

// Rows [first, first + n) of what a pass gave.
inline std::vector<float> slice(const Rig& rig, const std::vector<float>& given, std::size_t first,
                                std::size_t n) {
    const std::size_t n_embd = static_cast<std::size_t>(rig.c.n_embd);
    return {given.begin() + static_cast<std::ptrdiff_t>(first * n_embd),
            given.begin() + static_cast<std::ptrdiff_t>((first + n) * n_embd)};
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace attention_rig
