// The rotary table: growth on demand, and dynamic scaling against transformers (golden values) in every shape that a
// sequence can take.
#include "model/rope_table.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "check.h"
#include "golden.h"

namespace {

using namespace neox;
using golden::Rig;

Row row_at(std::int32_t pos, std::int32_t rope_length) {
    Row row{};
    row.pos = pos;
    row.rope_length = rope_length;
    return row;
}

RopeTable::Row rotation(RopeTable& table, std::int32_t pos, std::int32_t rope_length) {
    const Row row = row_at(pos, rope_length);
    table.prepare({&row, 1, nullptr, 0});
    return table.row(0);
}

bool same(RopeTable::Row a, RopeTable::Row b) {
    return std::memcmp(a.cos, b.cos, 8 * sizeof(float)) == 0 &&
           std::memcmp(a.sin, b.sin, 8 * sizeof(float)) == 0;
}

Config config_of(RopeScaling scaling) {
    Config config;
    config.n_embd = 64, config.n_head = 2, config.n_rot = 16, config.n_ctx_train = 100;
    config.rope_scaling = scaling;
    config.rope_factor = 2.0f;
    return config;
}

TEST(rope_values_are_the_same_however_the_table_grows) {
    RopeTable at_once(config_of(RopeScaling::none), 3000), stepwise(config_of(RopeScaling::none), 3000);
    rotation(at_once, 2999, 3000);
    for (std::int32_t pos = 0; pos < 3000; ++pos)
        CHECK(same(rotation(at_once, pos, pos + 1), rotation(stepwise, pos, 3000)));
    CHECK_EQ(rotation(stepwise, 0, 1).cos[3], 1.0f);
    CHECK_NEAR(rotation(stepwise, 2999, 3000).sin[0], std::sin(2999.0), 1e-6);
    CHECK_THROWS(rotation(stepwise, 3000, 3001), internal);
    // A context that a header claims costs nothing.
    RopeTable huge(config_of(RopeScaling::none), 1 << 30);
    CHECK_EQ(rotation(huge, 255, 256).sin[0], static_cast<float>(std::sin(255.0)));
}

TEST(rope_scales_with_the_length_only_beyond_the_trained_context) {
    RopeTable plain(config_of(RopeScaling::none), 1000), dynamic(config_of(RopeScaling::dynamic), 1000);
    CHECK(same(rotation(plain, 99, 100), rotation(dynamic, 99, 100)));
    CHECK(!same(rotation(plain, 99, 101), rotation(dynamic, 99, 101)));
    // base' = 10000 (2 * 300 / 100 - 1)^(16 / 14); the second frequency is base'^(-2 / 16).
    const double base = 10000.0 * std::pow(5.0, 16.0 / 14.0);
    CHECK_NEAR(rotation(dynamic, 250, 300).cos[1], std::cos(250.0 * std::pow(base, -0.125)), 1e-4);
    // Rows of different lengths in one batch have what each has alone.
    const Row rows[] = {row_at(99, 100), row_at(120, 300), row_at(120, 121), row_at(121, 300)};
    dynamic.prepare({rows, 4, nullptr, 0});
    RopeTable alone(config_of(RopeScaling::dynamic), 1000);
    for (int i = 0; i < 4; ++i)
        CHECK(same(dynamic.row(i), rotation(alone, rows[i].pos, rows[i].rope_length)));
    CHECK(!same(dynamic.row(1), dynamic.row(2)));
}

TEST(rope_refuses_dynamic_scaling_of_two_dimensions) {
    Config config = config_of(RopeScaling::dynamic);
    config.n_rot = 2;
    CHECK_THROWS(RopeTable(config, 100), unsupported);
}

const std::string kCheckpoint = golden::fixture("checkpoints/sequential-dynamic-rope");

// The prompt of 150 exceeds the 64 trained positions from the start, the one of 50 passes them while it decodes;
// model_test.cpp and golden.test.ts hold both to transformers. Here: in chunks of any size, and beside each other.
TEST(rope_of_a_prompt_follows_its_whole_length_however_it_is_cut) {
    const golden::Tensors values(kCheckpoint + "/golden.safetensors");
    const auto logits = [&](std::int32_t max_rows) {
        golden::EngineSetup setup;
        setup.max_rows = max_rows;
        return Rig(kCheckpoint, setup).logits(values.ids("prompt_ids"));
    };
    const std::vector<float> whole = logits(512);
    for (const std::int32_t max_rows : {1, 7, 64}) CHECK(logits(max_rows) == whole);
    Rig rig(kCheckpoint);
    CHECK(rig.generate(values.ids("prompt_ids"), 16) == values.ids("long_greedy_ids"));
}

// Three prompts with steps between them, one of them cut short: what each row saw when it was new comes back.
TEST(rope_of_an_evicted_session_is_that_of_its_first_run) {
    const auto run = [&](bool evict) {
        Rig rig(kCheckpoint);
        const auto feed = [&](std::shared_ptr<Sequence> sequence, std::vector<Token> ids,
                              std::int64_t n_new) {
            CallRequest r = rig.request(std::move(ids), n_new);
            if (sequence) r.sequence = sequence;
            if (n_new == 0) r.logits_at = {0};
            sequence = r.sequence;
            auto logits = rig.run(std::move(r))->logits;
            if (evict) rig.engine->evict(*sequence);
            return std::pair{sequence, std::move(logits)};
        };
        auto sequence = feed(nullptr, std::vector<Token>(70, 9), 5).first;
        feed(sequence, std::vector<Token>(60, 8), 3);
        rig.engine->truncate(*sequence, 100);
        feed(sequence, {7, 6, 5}, 4);
        const auto fork = rig.engine->fork(*sequence, 104);
        std::vector<float> all = feed(fork, {4, 11}, 0).second;
        const std::vector<float> rest = feed(sequence, {4, 12}, 0).second;
        all.insert(all.end(), rest.begin(), rest.end());
        return all;
    };
    CHECK(run(false) == run(true));
}

TEST(rope_of_rows_that_an_overflow_keeps_is_that_of_their_first_run) {
    const auto run = [&](Overflow overflow, bool evict) {
        Rig rig(kCheckpoint);
        CallRequest first = rig.request(std::vector<Token>(70, 9), 5);
        const std::shared_ptr<Sequence> sequence = first.sequence;
        rig.run(std::move(first));
        CallRequest second = rig.request(std::vector<Token>(150, 8), 100);
        second.sequence = sequence;
        second.overflow = overflow;
        second.overflow_keep = 64;  // of the 70 rows of the first prompt
        rig.run(std::move(second));
        CHECK(rig.engine->n_dropped(*sequence) > 0);
        rig.engine->truncate(*sequence, 150);
        if (evict) rig.engine->evict(*sequence);
        CallRequest query = rig.request({4, 11}, 0);
        query.sequence = sequence;
        query.logits_at = {0};
        return rig.run(std::move(query))->logits;
    };
    for (const Overflow overflow : {Overflow::truncate_left, Overflow::shift})
        CHECK(run(overflow, false) == run(overflow, true));
}

}  // namespace
