// Tiles of the KV cache: rows written and read in every type.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/half.h"
#include "check.h"
#include "kernels_rig.h"

namespace {

using namespace kernels_rig;

constexpr KvType kKvTypes[] = {KvType::f32, KvType::f16, KvType::q8_0};
constexpr int kHeadDims[] = {128, 64, 80, 8, 20, 200, 50, 32};

std::vector<float> random_values(std::int64_t n, float scale, std::uint64_t seed) {
    random_blocks::Random random{seed};
    std::vector<float> values(static_cast<std::size_t>(n));
    for (float& value : values) value = scale * random.uniform();
    return values;
}

std::vector<std::pair<KvSide, int>> sides_and_dims() {
    std::vector<std::pair<KvSide, int>> pairs;
    for (const int head_dim : kHeadDims)
        for (const KvSide side : {KvSide::keys, KvSide::values}) pairs.emplace_back(side, head_dim);
    return pairs;
}

}  // namespace

TEST(kernels_kv_rows_of_f16) {
    std::vector<std::uint16_t> halves(65536);
    for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
    std::vector<float> values = random_values(5003, 70000.0f, 11);
    for (std::size_t i = 0; i < values.size(); i += 2) values[i] *= 1e-9f;
    values[7] = INFINITY;
    values[8] = -NAN;
    std::vector<std::uint16_t> expected;
    for (const float value : values) expected.push_back(f32_to_f16(value));
    for (const Kernels* kernels : supported_kernels()) {
        std::vector<float> wide(halves.size());
        kernels->load_kv(KvType::f16, KvSide::values, reinterpret_cast<const std::byte*>(halves.data()), 0,
                         65536, wide.data());
        for (std::size_t i = 0; i < halves.size(); ++i)
            CHECK_EQ(std::bit_cast<std::uint32_t>(wide[i]),
                     std::bit_cast<std::uint32_t>(f16_to_f32(halves[i])));
        std::vector<std::uint16_t> narrow(values.size());
        kernels->store_kv(KvType::f16, KvSide::values, values.data(), 5003,
                          reinterpret_cast<std::byte*>(narrow.data()), 0);
        CHECK(narrow == expected);
    }
}

// Codes and scales by the definition, one value at a time.
TEST(kernels_kv_rows_of_q8_0_by_their_definition) {
    for (const int head_dim : kHeadDims)
        for (const auto& [side, size] : {std::pair{KvSide::keys, 1.0f},
                                         {KvSide::values, 1.0f},
                                         {KvSide::values, 1e-3f},
                                         {KvSide::keys, 3e4f}}) {
            std::vector<float> row = random_values(head_dim, size, 40);
            if (head_dim > 40) std::fill(row.begin() + 32, row.end(), 0.0f);  // a block of zeros
            const auto dim = static_cast<std::size_t>(head_dim);
            std::vector<std::byte> tile(static_cast<std::size_t>(kv_tile_bytes(KvType::q8_0, head_dim)));
            CHECK_EQ(tile.size(), 64 * ((dim + 3) / 4 * 4 + 2 * ((dim + 31) / 32)));
            scalar().store_kv(KvType::q8_0, side, row.data(), head_dim, tile.data(), 63);
            std::vector<float> read(dim);
            scalar().load_kv(KvType::q8_0, side, tile.data(), 63, head_dim, read.data());
            for (std::size_t i = 0; i < dim; ++i) {
                const std::size_t block = i / 32, end = std::min(dim, 32 * block + 32);
                float largest = 0;
                for (std::size_t k = 32 * block; k < end; ++k) largest = std::max(largest, std::fabs(row[k]));
                std::uint16_t half;
                std::memcpy(&half, tile.data() + 2 * (64 * block + 63), 2);
                CHECK_EQ(half, f32_to_f16(largest / 127.0f));
                const float scale = f16_to_f32(half);
                const auto code = std::to_integer<int>(
                                      tile[128 * ((dim + 31) / 32) +
                                           (side == KvSide::keys ? i / 4 * 256 + 63 * 4 + i % 4
                                                                 : 15 * ((dim + 3) / 4 * 16) + i * 4 + 3)]) -
                                  128;
                CHECK_EQ(read[i], scale * static_cast<float>(code));
                CHECK_NEAR(read[i], row[i], 0.5001 * scale + 0.0005 * largest);
            }
            // What was read is stored as it was.
            std::vector<std::byte> again = tile;
            scalar().store_kv(KvType::q8_0, side, read.data(), head_dim, again.data(), 63);
            CHECK(size < 0.01f || again == tile);
        }
}

TEST(kernels_kv_rows_have_the_same_bits_and_leave_others_alone) {
    for (const KvType type : kKvTypes)
        for (const auto& [side, head_dim] : sides_and_dims()) {
            const auto dim = static_cast<std::size_t>(head_dim);
            const std::vector<std::byte> empty(static_cast<std::size_t>(kv_tile_bytes(type, head_dim)),
                                               std::byte{0x5a});
            const std::vector<float> first = random_values(head_dim, 2.0f, 50),
                                     second = random_values(head_dim, 900.0f, 51);
            for (const int position : {0, 1, 17, 63}) {
                std::vector<std::byte> expected = empty;
                scalar().store_kv(type, side, first.data(), head_dim, expected.data(), position);
                for (const Kernels* kernels : supported_kernels()) {
                    std::vector<std::byte> tile = empty;
                    kernels->store_kv(type, side, first.data(), head_dim, tile.data(), position);
                    CHECK(tile == expected);
                    std::vector<float> read(dim), kept(dim);
                    kernels->load_kv(type, side, tile.data(), position, head_dim, kept.data());
                    for (int other = 0; other < 64; ++other)
                        if (other != position)
                            kernels->store_kv(type, side, second.data(), head_dim, tile.data(), other);
                    kernels->load_kv(type, side, tile.data(), position, head_dim, read.data());
                    CHECK(same_bits(read, kept));
                    scalar().load_kv(type, side, expected.data(), position, head_dim, kept.data());
                    CHECK(same_bits(read, kept));
                }
            }
        }
}

// What a cache cannot hold shows up as an infinity or a NaN; never as a number.
TEST(kernels_kv_rows_show_what_does_not_fit) {
    const float kBad[] = {INFINITY, -INFINITY, NAN, -NAN, std::numeric_limits<float>::max()};
    for (const Kernels* kernels : supported_kernels())
        for (const KvType type : kKvTypes)
            for (const float bad : kBad)
                for (const auto& [side, at] : {std::pair{KvSide::keys, 0},
                                               {KvSide::values, 0},
                                               {KvSide::keys, 31},
                                               {KvSide::values, 31},
                                               {KvSide::keys, 40},
                                               {KvSide::values, 40}}) {
                    if (type == KvType::f32 && std::isfinite(bad)) continue;
                    std::vector<float> row = random_values(48, 1.0f, 60), read(48);
                    row[static_cast<std::size_t>(at)] = bad;
                    std::vector<std::byte> tile(static_cast<std::size_t>(kv_tile_bytes(type, 48)));
                    kernels->store_kv(type, side, row.data(), 48, tile.data(), 2);
                    kernels->load_kv(type, side, tile.data(), 2, 48, read.data());
                    CHECK(!std::isfinite(read[static_cast<std::size_t>(at)]));
                    CHECK(std::isfinite(read[at < 32 ? 32 : 0]));
                }
}
