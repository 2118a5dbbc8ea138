// Attention over tiles of the KV cache: against float64, on every instruction set, and that a row has the same bits whatever
// rows and heads are computed with it.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/aligned_buffer.h"
#include "kernels_rig.h"

namespace {

using namespace kernels_rig;

// How a cache is attended to: its type, and whether prompt rows multiply integers.
struct Kind {
    KvType type;
    bool uses_integers;
};
constexpr Kind kKinds[] = {
    {KvType::f32, false}, {KvType::f16, false}, {KvType::f16, true}, {KvType::q8_0, false}};
constexpr int kMostPositions = 200;

std::vector<float> random_values(std::size_t n, float scale, std::uint64_t seed) {
    random_blocks::Random random{seed};
    std::vector<float> values(n);
    for (float& value : values) value = scale * random.uniform();
    return values;
}

// Keys or values of 200 positions in tiles [block][head], and what they are read back as, [head][position][head_dim].
struct Side {
    Side(KvType type, KvSide which, int head_dim, int n_heads, std::uint64_t seed)
        : type_(type), which_(which), head_dim_(head_dim), n_heads_(n_heads),
          tile_bytes_(static_cast<std::size_t>(kv_tile_bytes(type, head_dim))),
          values(random_values(static_cast<std::size_t>(n_heads * kMostPositions * head_dim), 1.5f, seed)),
          // NaN where nothing is written
          memory_(4 * static_cast<std::size_t>(n_heads) * tile_bytes_ + kKvSlack, std::byte{0xff}) {
        for (int head = 0; head < n_heads; ++head)
            for (int position = 0; position < kMostPositions; ++position) write(head, position);
        for (int block = 0; block < 4; ++block) blocks.push_back(tile(0, 64 * block));
    }
    std::byte* tile(int head, int position) {
        return memory_.data() + static_cast<std::size_t>(position / 64 * n_heads_ + head) * tile_bytes_;
    }
    float* row(int head, int position) {
        return values.data() + static_cast<std::ptrdiff_t>(head * kMostPositions + position) * head_dim_;
    }
    void write(int head, int position) {
        scalar().store_kv(type_, which_, row(head, position), head_dim_, tile(head, position), position % 64);
        scalar().load_kv(type_, which_, tile(head, position), position % 64, head_dim_, row(head, position));
    }
    // Spoils all heads' entries from a position on.
    void spoil_from(int position) {
        const std::vector<float> bad(static_cast<std::size_t>(head_dim_), NAN);
        for (int head = 0; head < n_heads_; ++head)
            for (int p = position; p < kMostPositions; ++p)
                scalar().store_kv(type_, which_, bad.data(), head_dim_, tile(head, p), p % 64);
    }

private:
    KvType type_;
    KvSide which_;
    int head_dim_, n_heads_;
    std::size_t tile_bytes_;

public:
    std::vector<float> values;
    std::vector<const std::byte*> blocks;

private:
    std::vector<std::byte> memory_;
};

struct Cache {
    Cache(Kind which, int dim, int heads, std::uint64_t seed)
        : kind(which), head_dim(dim), n_heads(heads), scale(1.0f / std::sqrt(static_cast<float>(dim))),
          k(which.type, KvSide::keys, dim, heads, seed), v(which.type, KvSide::values, dim, heads, seed + 1) {
    }

    // [row][head][head_dim]; q has `stride` floats a row, more than it needs.
    std::vector<float> attend(const Kernels& kernels, const std::vector<std::int64_t>& n_positions,
                              const float* q, std::int64_t stride) const {
        const std::size_t width = static_cast<std::size_t>(n_heads * head_dim), n = n_positions.size();
        std::vector<float> out(n * (width + 3), -7.0f), rows;
        AlignedBuffer<std::byte> scratch(static_cast<std::size_t>(attention_scratch_bytes(head_dim)));
        kernels.attention({kind.type, head_dim, scale, kind.uses_integers, static_cast<int>(n), n_heads,
                           n_positions.data(), k.blocks.data(), v.blocks.data(), q, stride, out.data(),
                           static_cast<std::int64_t>(width) + 3, scratch.data()});
        for (std::size_t i = 0; i < n; ++i) {
            const float* row = out.data() + i * (width + 3);
            rows.insert(rows.end(), row, row + width);
            for (std::size_t d = width; d < width + 3; ++d)
                CHECK_EQ(row[d], -7.0f);  // nothing written behind
        }
        return rows;
    }

    Kind kind;
    int head_dim, n_heads;
    float scale;
    Side k, v;
};

// With large queries a score's rounding is magnified. Codes are multiplied with integers of 15 bits, integers with those of 12.
double limit(Kind kind, bool is_large) {
    if (kind.uses_integers) return is_large ? 2e-2 : 1e-3;
    if (kind.type == KvType::q8_0) return is_large ? 3e-3 : 2e-4;
    return is_large ? 2e-5 : 3e-6;
}

std::vector<std::int64_t> consecutive(std::int64_t first, std::size_t n) {
    std::vector<std::int64_t> positions(n);
    std::iota(positions.begin(), positions.end(), first);
    return positions;
}

}  // namespace

TEST(kernels_attention_against_f64) {
    for (const Kind kind : kKinds)
        for (const int head_dim : {128, 64, 80, 8, 20, 200, 50, 32}) {
            const auto dim = static_cast<std::size_t>(head_dim);
            Cache cache(kind, head_dim, 1, 30);
            const std::vector<float> q = random_values(dim, head_dim == 64 ? 30.0f : 2.0f, 32);
            for (std::size_t n = 1; n <= kMostPositions; n += head_dim == 128 ? 1 : 13) {
                std::vector<double> scores(n);
                for (std::size_t j = 0; j < n; ++j)
                    for (std::size_t d = 0; d < dim; ++d)
                        scores[j] += static_cast<double>(q[d]) * cache.k.values[j * dim + d] * cache.scale;
                const double max = *std::max_element(scores.begin(), scores.end());
                double total = 0;
                for (double& score : scores) total += score = std::exp(score - max);
                const std::vector<std::int64_t> n_positions = {static_cast<std::int64_t>(n)};
                const std::vector<float> expected = cache.attend(scalar(), n_positions, q.data(), head_dim);
                for (std::size_t d = 0; d < dim; ++d) {
                    double sum = 0;
                    for (std::size_t j = 0; j < n; ++j)
                        sum += scores[j] / total * cache.v.values[j * dim + d];
                    CHECK_NEAR(expected[d], sum, limit(kind, head_dim == 64));
                }
                for (const Kernels* kernels : supported_kernels())
                    CHECK(same_bits(cache.attend(*kernels, n_positions, q.data(), head_dim), expected));
            }
        }
}

// Dimensions that are large in every key, as models have them. Without shifts for them the largest errors are 4e-3, 1.2e-2 and
// 2.4e-2.
TEST(kernels_attention_keeps_dimensions_beside_large_ones) {
    constexpr std::size_t kDim = 128, kPositions = 192, kRows = 20;
    for (const auto& [ratio, n_large] : {std::pair{30.0f, 1}, {100.0f, 1}, {100.0f, 4}}) {
        Cache cache({KvType::f16, true}, kDim, 1, 60);
        std::vector<float> q = random_values(kRows * kDim, 4.0f, 61);
        for (std::size_t large = 5, i = 0; i < static_cast<std::size_t>(n_large); ++i, large += 32) {
            for (int position = 0; position < kMostPositions; ++position) {
                float& k = cache.k.row(0, position)[large];
                k = ratio * (1.0f + 0.2f * k);
            }
            for (std::size_t row = 0; row < kRows; ++row) q[row * kDim + large] *= 0.1f;
        }
        for (int position = 0; position < kMostPositions; ++position) cache.k.write(0, position);
        const std::vector<std::int64_t> n_positions(kRows, static_cast<std::int64_t>(kPositions));
        const std::vector<float> found = cache.attend(scalar(), n_positions, q.data(), kDim);
        for (std::size_t row = 0; row < kRows; ++row) {
            std::vector<double> weights(kPositions);
            for (std::size_t j = 0; j < kPositions; ++j)
                for (std::size_t d = 0; d < kDim; ++d)
                    weights[j] += static_cast<double>(q[row * kDim + d]) * cache.k.values[j * kDim + d] *
                                  static_cast<double>(cache.scale);
            const double max = *std::max_element(weights.begin(), weights.end());
            double total = 0;
            for (double& weight : weights) total += weight = std::exp(weight - max);
            for (std::size_t d = 0; d < kDim; ++d) {
                double sum = 0;
                for (std::size_t j = 0; j < kPositions; ++j)
                    sum += weights[j] / total * static_cast<double>(cache.v.values[j * kDim + d]);
                CHECK_NEAR(found[row * kDim + d], sum, 3e-3);
            }
        }
        for (const Kernels* kernels : supported_kernels())
            CHECK(same_bits(cache.attend(*kernels, n_positions, q.data(), kDim), found));
    }
}

TEST(kernels_attention_of_a_row_does_not_depend_on_its_neighbours) {
    const std::vector<std::int64_t> kRows[] = {
        consecutive(1, 21),          consecutive(60, 9), consecutive(137, 64),
        {3, 3, 40, 64, 65, 66, 128}, {1, 200},           {63, 64, 127, 128, 129, 191, 192, 193}};
    for (const Kind kind : kKinds)
        for (const auto& [head_dim, n_heads] : {std::pair{128, 1}, {64, 1}, {20, 3}, {50, 1}, {80, 2}}) {
            const std::size_t width = static_cast<std::size_t>(head_dim * n_heads), stride = width + 5;
            Cache cache(kind, head_dim, n_heads, 40), spoilt(kind, head_dim, n_heads, 40);
            for (const std::vector<std::int64_t>& rows : kRows) {
                if (rows.size() * static_cast<std::size_t>(n_heads) > kAttentionPairs) continue;
                const std::vector<float> q = random_values(rows.size() * stride, 2.0f, 41 + rows.size());
                const auto together = [&](const Kernels& kernels, const Cache& from) {
                    return from.attend(kernels, rows, q.data(), static_cast<std::int64_t>(stride));
                };
                // The first row and head alone, in a cache that holds NaN from the next position on.
                std::vector<float> expected;
                for (std::size_t i = 0; i < rows.size(); ++i) {
                    const std::vector<float> row = cache.attend(scalar(), {rows[i]}, q.data() + i * stride,
                                                                static_cast<std::int64_t>(stride));
                    expected.insert(expected.end(), row.begin(), row.end());
                }
                for (const Kernels* kernels : supported_kernels())
                    CHECK(same_bits(together(*kernels, cache), expected));
                CHECK(same_bits(together(scalar(), cache), expected));
            }
            // Rows beside one that sees NaN keep their bits.
            std::vector<std::int64_t> rows = consecutive(100, 14);
            rows.push_back(200);
            const std::vector<float> q = random_values(rows.size() * stride, 2.0f, 43);
            spoilt.k.spoil_from(106);
            spoilt.v.spoil_from(106);
            for (const Kernels* kernels : supported_kernels()) {
                const auto at = static_cast<std::int64_t>(stride);
                std::vector<float> whole = cache.attend(*kernels, rows, q.data(), at),
                                   broken = spoilt.attend(*kernels, rows, q.data(), at);
                CHECK(std::isnan(broken[7 * width]) && std::isnan(broken.back()));
                whole.resize(7 * width);
                broken.resize(7 * width);
                CHECK(same_bits(whole, broken));
            }
        }
}

// A head among others is the head by itself: the tiles of the others lie between its blocks.
TEST(kernels_attention_of_a_head_does_not_depend_on_the_others) {
    for (const Kind kind : kKinds)
        for (const int head_dim : {128, 20}) {
            const std::size_t dim = static_cast<std::size_t>(head_dim);
            Cache cache(kind, head_dim, 5, 50);
            const std::vector<std::int64_t> rows = {90, 91, 150};
            const std::vector<float> q = random_values(rows.size() * 5 * dim, 2.0f, 51);
            for (const Kernels* kernels : supported_kernels()) {
                const std::vector<float> all = cache.attend(*kernels, rows, q.data(), 5 * head_dim);
                for (int head = 0; head < 5; ++head) {
                    Cache one = cache;
                    one.n_heads = 1;
                    for (std::size_t block = 0; block < 4; ++block) {
                        one.k.blocks[block] = cache.k.tile(head, 64 * static_cast<int>(block));
                        one.v.blocks[block] = cache.v.tile(head, 64 * static_cast<int>(block));
                    }
                    const std::vector<float> alone =
                        one.attend(*kernels, rows, q.data() + head * head_dim, 5 * head_dim);
                    for (std::size_t i = 0; i < rows.size(); ++i)
                        for (std::size_t d = 0; d < dim; ++d)
                            CHECK_EQ(alone[i * dim + d],
                                     all[(i * 5 + static_cast<std::size_t>(head)) * dim + d]);
                }
            }
        }
}
