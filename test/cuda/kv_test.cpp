#include <numeric>

#include "attention_rig.h"

namespace {

using namespace attention_rig;

constexpr auto kPrompt = RowPhase::prompt;

// A block outside, as the CPU's kernels write positions [0, n) of a text: [layer][K|V][head] tiles.
std::vector<std::byte> cpu_block(Rig& rig, KvType type, int text, int n) {
    const Config& c = rig.c;
    const std::size_t tile = static_cast<std::size_t>(kv_tile_bytes(type, c.head_dim()));
    std::vector<std::byte> block(rig.kv.block_bytes() + kKvSlack);
    std::byte* at = block.data();
    for (int layer = 0; layer < c.n_layer; ++layer)
        for (const int part : {1, 2})
            for (int head = 0; head < c.n_head; ++head, at += tile)
                for (int pos = 0; pos < n; ++pos) {
                    const std::vector<float> x = rig.head_of({text, pos, kPrompt}, part, head);
                    Rig::scalar().store_kv(type, part == 1 ? KvSide::keys : KvSide::values, x.data(),
                                           c.head_dim(), at, pos);
                }
    block.resize(rig.kv.block_bytes());
    return block;
}

std::vector<std::byte> read(Rig& rig, std::int32_t block) {
    std::vector<std::byte> bytes(rig.kv.block_bytes());
    rig.kv.read(rig.stream, block, bytes.data());
    return bytes;
}

}  // namespace

TEST(blocks_outside_are_the_cpus_bit_for_bit) {
    for (const KvType type : kKvTypes)
        for (const int head_dim : {8, 22, 33, 64}) {
            Rig rig(make_config(2, head_dim, 4), type);
            rig.texts = {{1, {7}}};
            for (const int layer : {0, 1}) rig.store(0, 0, 64, layer);
            CHECK(read(rig, 7) == cpu_block(rig, type, 0, 64));
        }
}

TEST(blocks_written_back_elsewhere_serve_as_before) {
    for (const KvType type : kKvTypes) {
        Rig rig(make_config(3, 20, 8), type);
        rig.texts = {{1, {7, 8}}};
        for (const int layer : {0, 1}) rig.store(0, 0, 64, layer);
        const std::vector<TestRow> step = {{0, 64, RowPhase::step}};
        const std::vector<float> expected = rig.run(step, 1);
        const std::vector<std::byte> bytes = read(rig, 7);
        rig.kv.write(rig.stream, 11, bytes.data());
        CHECK(read(rig, 11) == bytes);
        rig.texts[0].blocks[0] = 11;
        CHECK(same_bits(rig.run(step, 1), expected));
    }
}

TEST(copies_take_all_layers_and_leave_the_source) {
    for (const KvType type : kKvTypes) {
        Rig rig(make_config(2, 24, 8), type);
        rig.texts = {{1, {7}}, {2, {3}}};
        for (const int layer : {0, 1}) {
            rig.store(0, 0, 64, layer);
            rig.store(1, 0, 64, layer);
        }
        const std::vector<std::byte> from = read(rig, 7), other = read(rig, 3);
        CHECK(from != other);
        rig.kv.copy(rig.stream, 7, 3);
        rig.kv.copy(rig.stream, 7, 7);
        CHECK(read(rig, 3) == from);
        CHECK(read(rig, 7) == from);
    }
}

// Turning back by delta is what the CPU does to the same block.
TEST(rotated_keys_are_the_cpus) {
    for (const KvType type : kKvTypes) {
        Rig rig(make_config(2, 36, 20), type);
        rig.texts = {{1, {7}}, {2, {3}}};
        for (const int layer : {0, 1}) {
            rig.store(0, 0, 64, layer);
            rig.store(1, 0, 64, layer);
        }
        std::vector<std::byte> block = read(rig, 7);
        const std::vector<std::byte> untouched = read(rig, 3);
        const std::int32_t ids[] = {7};
        rig.kv.rotate(rig.stream, rig.rope.host(), ids, 1, 10);
        std::vector<float> cos, sin, row(36);
        rig.rope.host().set_turn(-10, cos, sin);
        const std::size_t tile = static_cast<std::size_t>(kv_tile_bytes(type, 36));
        const KvSide side = KvSide::keys;
        for (std::size_t layer = 0; layer < 2; ++layer)
            for (std::size_t head = 0; head < 2; ++head)
                for (int pos = 0; pos < 64; ++pos) {
                    std::byte* at = block.data() + (4 * layer + head) * tile;
                    Rig::scalar().load_kv(type, side, at, pos, 36, row.data());
                    Rig::scalar().rope(row.data(), cos.data(), sin.data(), 20);
                    Rig::scalar().store_kv(type, side, row.data(), 36, at, pos);
                }
        CHECK(read(rig, 7) == block);
        CHECK(read(rig, 3) == untouched);
    }
}

TEST(rotations_that_have_no_turn_are_refused_and_change_nothing) {
    Config c = make_config(1, 16, 8);
    c.rope_scaling = RopeScaling::dynamic;
    c.rope_factor = 2.0f;
    c.n_ctx_train = 64;
    Rig rig(c, KvType::f16);
    rig.texts = {{1, {7}}};
    for (const int layer : {0, 1}) rig.store(0, 0, 64, layer);
    const std::vector<std::byte> before = read(rig, 7);
    const std::int32_t ids[] = {7};
    CHECK_THROWS(rig.kv.rotate(rig.stream, rig.rope.host(), ids, 0, 3), unsupported);
    CHECK_THROWS(rig.kv.rotate(rig.stream, rig.rope.host(), ids, 1, 3), unsupported);
    CHECK(read(rig, 7) == before);
}

TEST(blocks_that_the_pool_lacks_are_refused) {
    Rig rig(make_config(1, 16, 8), KvType::f16);
    std::vector<std::byte> bytes(rig.kv.block_bytes());
    for (const std::int32_t block : {-1, 24}) {
        CHECK_THROWS(rig.kv.copy(rig.stream, block, 0), internal);
        CHECK_THROWS(rig.kv.copy(rig.stream, 0, block), internal);
        CHECK_THROWS(rig.kv.read(rig.stream, block, bytes.data()), internal);
        CHECK_THROWS(rig.kv.write(rig.stream, block, bytes.data()), internal);
        CHECK_THROWS(rig.kv.rotate(rig.stream, rig.rope.host(), &block, 1, 3), internal);
    }
    CHECK_THROWS(cuda::KvCache(make_config(1, 5000, 8), KvType::f16, 0, 1, 1), unsupported);
}

TEST(a_range_of_layers_has_its_share_of_memory) {
    Config c = make_config(2, 20, 8);
    c.n_layer = 6;
    for (const KvType type : kKvTypes) {
        const cuda::KvCache part(c, type, 2, 5, 4);
        CHECK_EQ(part.block_bytes(), 3 * 2 * 2 * static_cast<std::size_t>(kv_tile_bytes(type, 20)));
        CHECK_EQ(part.layer(3).memory - part.layer(2).memory, part.layer(2).layer_bytes);
        CHECK_THROWS(part.layer(1), internal);
        CHECK_THROWS(part.layer(5), internal);
        CHECK_EQ(cuda::kv_memory_bytes(c, type, 3, 4),
                 3 * static_cast<std::uint64_t>(part.layer(2).layer_bytes));
    }
}

// Infinities and NaN, f16's limits, a block of zeros and one too small for a scale.
TEST(stores_round_like_the_cpu_at_the_edges) {
    const float inf = std::numeric_limits<float>::infinity();
    const std::vector<std::vector<float>> rows = {{65504, 65519, 65520, -65536, 1e30f, 0, 1, 2},
                                                  {inf, 1, -inf, 2, 3, 4, 5, 6},
                                                  {NAN, 1, 2, 3, 4, 5, 6, 7},
                                                  {0, 0, 0, 0, 0, 0, 0, 0},
                                                  {1e-7f, -2e-7f, 0, 3e-8f, 0, 0, 0, 0},
                                                  {127, 63.5f, 62.5f, -0.5f, 0.5f, 1.5f, -1.5f, -127}};
    for (const KvType type : kKvTypes) {
        Rig rig(make_config(1, 8, 0), type);
        const std::size_t n = rows.size();
        std::vector<float> qkv;
        std::vector<cuda::DeviceRow> device_rows;
        for (std::size_t i = 0; i < n; ++i) {
            for (int part = 0; part < 3; ++part) qkv.insert(qkv.end(), rows[i].begin(), rows[i].end());
            device_rows.push_back({0, static_cast<std::int32_t>(i), 0, 0});
        }
        const std::int32_t block = 2;
        const DeviceBuffer<float> on_qkv(qkv.size());
        const DeviceBuffer<cuda::DeviceRow> on_rows(n);
        const DeviceBuffer<std::int32_t> on_blocks(1);
        rig.stream.copy_to_device(on_qkv.data(), qkv.data(), on_qkv.bytes());
        rig.stream.copy_to_device(on_rows.data(), device_rows.data(), on_rows.bytes());
        rig.stream.copy_to_device(on_blocks.data(), &block, on_blocks.bytes());
        cuda::launch_store_kv(rig.stream,
                              {rig.kv.layer(0), on_qkv.data(), 24, nullptr, 0, on_rows.data(),
                               static_cast<std::int32_t>(n), on_blocks.data(), 1, rig.rope.table(), 0});
        const std::vector<std::byte> given = read(rig, block);
        const std::size_t tile = static_cast<std::size_t>(kv_tile_bytes(type, 8));
        std::vector<std::byte> expected(2 * tile + kKvSlack);
        for (std::size_t i = 0; i < n; ++i)
            for (const KvSide side : {KvSide::keys, KvSide::values}) {
                std::byte* at = expected.data() + (side == KvSide::values ? tile : 0);
                const int position = static_cast<int>(i);
                Rig::scalar().store_kv(type, side, rows[i].data(), 8, at, position);
                std::vector<float> a(8), b(8);
                Rig::scalar().load_kv(type, side, at, position, 8, a.data());
                Rig::scalar().load_kv(type, side, given.data() + (at - expected.data()), position, 8,
                                      b.data());
                // What is not finite shows as such; under q8_0 its sign may be another one.
                for (std::size_t d = 0; d < 8; ++d)
                    CHECK(std::isfinite(a[d]) ? a[d] == b[d] : !std::isfinite(b[d]));
            }
    }
}
