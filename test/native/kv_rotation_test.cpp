// A context that shifts: cached keys turned to lower positions, and block tables that lose blocks in their middle.
#include "model/kv_rotation.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "fake_backend.h"
#include "golden.h"
#include "kernels/dispatch.h"
#include "model/kv_pool.h"

namespace {

using namespace neox;

constexpr std::int32_t kPositions = 192;

// The KV memory of one checkpoint where every layer was given the same row at every position, so that keys differ by
// their rotation alone.
struct Cache {
    Cache(const std::string& name, KvType type)
        : kv_type(type),
          model(load_model(golden::fixture("checkpoints/" + name), cpu_device(), {{}, 1, {}, nullptr})) {
        const BackendOptions options{Precision::exact, type, 2, 4, 256, 64};
        check(cpu_device().create_backend(model->weights->handle(), &options, &backend));
        const Config& c = model->config();
        const auto n_embd = static_cast<std::size_t>(c.n_embd);
        std::vector<float> x(n_embd);
        for (std::size_t i = 0; i < n_embd; ++i) x[i] = std::sin(static_cast<float>(i) * 1.7f + 0.3f);
        const std::int32_t blocks[] = {0, 1, 2};
        const SequenceView sequence{blocks, 3, nullptr};
        for (std::int32_t layer = 0; layer < c.n_layer; ++layer)
            for (std::int32_t begin = 0; begin < kPositions; begin += 64) {
                std::vector<Row> rows(64);
                std::vector<float> carry;
                for (std::int32_t i = 0; i < 64; ++i) {
                    Row& row = rows[static_cast<std::size_t>(i)];
                    row.pos = begin + i;
                    row.rope_length = row.pos + 1;
                    row.token = -1;
                    row.embedding = x.data();
                    carry.insert(carry.end(), x.begin(), x.end());
                }
                const Batch batch{rows.data(), 64, &sequence, 1};
                check(backend.forward(backend.self, &batch, layer, layer + 1, carry.data()));
            }
    }
    ~Cache() { backend.destroy(backend.self); }
    Cache(const Cache&) = delete;

    std::vector<std::byte> read(std::int32_t block) const {
        std::vector<std::byte> bytes(backend.kv_block_bytes);
        check(backend.kv_read(backend.self, block, bytes.data()));
        return bytes;
    }
    // Keys (part 0) or values (part 1) of one position, all heads and layers.
    std::vector<float> row(const std::vector<std::byte>& block, int position, std::size_t part) const {
        const Config& c = model->config();
        const auto dim = static_cast<std::size_t>(c.head_dim()), n_head = static_cast<std::size_t>(c.n_head),
                   tile = static_cast<std::size_t>(kv_tile_bytes(kv_type, c.head_dim()));
        std::vector<float> out(static_cast<std::size_t>(c.n_layer) * n_head * dim);
        for (std::size_t i = 0; i < out.size() / dim; ++i)
            active_kernels().load_kv(kv_type, part == 0 ? KvSide::keys : KvSide::values,
                                     block.data() + ((i / n_head * 2 + part) * n_head + i % n_head) * tile,
                                     position, c.head_dim(), out.data() + i * dim);
        return out;
    }

    KvType kv_type;
    std::shared_ptr<const Model> model;
    Backend backend{};
};

// Two roundings to the type, and the rounding of the angles themselves.
double limit(KvType type) { return type == KvType::f32 ? 4e-5 : type == KvType::f16 ? 2e-3 : 1.3e-2; }

std::int32_t code_of(ErrorCode code) { return static_cast<std::int32_t>(code); }

}  // namespace

TEST(kv_turned_keys_equal_keys_of_the_new_position) {
    for (const std::string& name : golden::checkpoints()) {
        if (name == "sequential-dynamic-rope") continue;
        for (const KvType type : {KvType::f32, KvType::f16, KvType::q8_0}) {
            const Cache cache(name, type);
            const std::vector<std::byte> before[] = {cache.read(0), cache.read(1), cache.read(2)};
            for (const std::int32_t delta : {1, 64, 100}) {
                check(cache.backend.kv_copy(cache.backend.self, 2, 3, 64));
                const std::int32_t block = 3;
                check(cache.backend.kv_rotate(cache.backend.self, &block, 1, delta));
                const std::vector<std::byte> after = cache.read(3);
                for (std::int32_t position = 0; position < 64; ++position) {
                    const std::int32_t target = 128 + position - delta;
                    CHECK(golden::relative_difference(cache.row(after, position, 0),
                                                      cache.row(before[target / 64], target % 64, 0)) <=
                          limit(type));
                    CHECK(cache.row(after, position, 1) == cache.row(before[2], position, 1));
                }
                CHECK(cache.row(after, 5, 0) != cache.row(before[2], 5, 0));
                CHECK(cache.read(2) == before[2]);
            }
        }
    }
}

TEST(kv_keys_cannot_be_turned_where_the_base_follows_the_length) {
    const auto model = load_model(golden::fixture("checkpoints/sequential-dynamic-rope"), cpu_device(),
                                  {{}, 1, {}, nullptr});
    const auto code = [&](std::int32_t n_ctx) {
        const BackendOptions options{Precision::exact, KvType::f32, 1, 4, n_ctx, 64};
        Backend backend{};
        check(cpu_device().create_backend(model->weights->handle(), &options, &backend));
        const std::int32_t block = 1;
        const Status asked = backend.kv_rotate(backend.self, nullptr, 0, 1);
        const Status done = backend.kv_rotate(backend.self, &block, 1, 1);
        backend.destroy(backend.self);
        CHECK_EQ(asked.code, done.code);
        return done.code;
    };
    CHECK_EQ(code(64), 0);
    CHECK_EQ(code(65), code_of(ErrorCode::unsupported));
}

TEST(kv_keys_are_turned_within_the_pool_and_the_context_only) {
    const Cache cache("sequential-erf", KvType::f32);
    const std::int32_t block = 4;
    CHECK_EQ(cache.backend.kv_rotate(cache.backend.self, &block, 1, 64).code, code_of(ErrorCode::internal));
    CHECK_EQ(cache.backend.kv_rotate(cache.backend.self, nullptr, 0, 256).code, code_of(ErrorCode::internal));
}

namespace {

// Block tables over the fake device, whose cache entries name their position.
struct Tables {
    explicit Tables(std::int32_t n_blocks)
        : pool(std::make_shared<KvPool>(n_blocks)), backend(fake::make(state, n_blocks)) {}

    // A table of n_positions, entry p holding content + p.
    BlockTable table(std::int32_t n_positions) {
        BlockTable made(pool);
        made.reserve(backend, 0, n_positions);
        for (std::int32_t pos = 0; pos < n_positions; ++pos)
            entry(made, pos) = 1000u + static_cast<unsigned>(pos) + fake::turn(pos);
        return made;
    }
    std::uint64_t& entry(const BlockTable& of, std::int32_t pos) {
        return state
            ->kv[static_cast<std::size_t>(of.blocks()[static_cast<std::size_t>(pos / 64)] * 64 + pos % 64)];
    }

    std::shared_ptr<fake::State> state = std::make_shared<fake::State>();
    std::shared_ptr<KvPool> pool;
    Backend backend;
};

}  // namespace

TEST(kv_shifted_table_keeps_its_front_and_turns_the_rest) {
    Tables tables(8);
    BlockTable table = tables.table(300);
    table.shift(tables.backend, 64, 128);
    CHECK_EQ(table.blocks().size(), 3u);
    CHECK_EQ(tables.pool->n_free(), 5);
    for (std::int32_t pos = 0; pos < 172; ++pos) {
        const std::int32_t content = pos < 64 ? pos : pos + 128;
        CHECK_EQ(tables.entry(table, pos), 1000u + static_cast<unsigned>(content) + fake::turn(pos));
    }
    table.shift(tables.backend, 0, 192);  // nothing is left behind
    CHECK_EQ(table.blocks().size(), 0u);
    CHECK_EQ(tables.pool->n_free(), 8);
}

TEST(kv_shifted_fork_leaves_the_other_as_it_was) {
    Tables tables(8);
    const BlockTable table = tables.table(300);
    BlockTable fork = table.fork(300);
    CHECK_EQ(fork.needed(128, 300), 3);
    fork.shift(tables.backend, 64, 64);
    for (std::int32_t pos = 0; pos < 300; ++pos)
        CHECK_EQ(tables.entry(table, pos), 1000u + static_cast<unsigned>(pos) + fake::turn(pos));
    for (std::int32_t pos = 0; pos < 236; ++pos)
        CHECK_EQ(tables.entry(fork, pos),
                 1000u + static_cast<unsigned>(pos < 64 ? pos : pos + 64) + fake::turn(pos));
    CHECK_EQ(fork.blocks()[0], table.blocks()[0]);
    CHECK_EQ(tables.pool->n_free(), 0);
}

TEST(kv_table_that_cannot_shift_stays_as_it_was) {
    Tables tables(6);
    const BlockTable table = tables.table(300);
    BlockTable fork = table.fork(300);
    const std::vector<std::int32_t> blocks = fork.blocks();
    CHECK_THROWS(fork.shift(tables.backend, 64, 64), kv_full);
    CHECK_THROWS(fork.shift(tables.backend, 64, 63), internal);
    CHECK_THROWS(fork.shift(tables.backend, 64, 0), internal);
    CHECK_THROWS(fork.shift(tables.backend, 256, 128), internal);
    tables.state->is_fixed = true;
    CHECK_THROWS(fork.shift(tables.backend, 192, 64), unsupported);
    CHECK(fork.blocks() == blocks);
    CHECK_EQ(tables.pool->n_free(), 1);
    for (std::int32_t pos = 0; pos < 300; ++pos)
        CHECK_EQ(tables.entry(fork, pos), 1000u + static_cast<unsigned>(pos) + fake::turn(pos));
}
