#include "attention_rig.h"

namespace {

using namespace attention_rig;

struct Shape {
    int n_head, head_dim, n_rot;
};
constexpr Shape kShapes[] = {{3, 8, 8}, {5, 20, 4}, {1, 32, 16}, {2, 64, 16}, {1, 80, 20}, {4, 128, 128}};

constexpr auto kPrompt = RowPhase::prompt, kStep = RowPhase::step;

// A text whose blocks are not neighbours.
Text text_of(int seed, std::int32_t first) {
    return {seed, {first + 5, first, first + 3, first + 1, first + 2}};
}

// Blocks of a GPU have no order that could be asked for.
void order_blocks_by([[maybe_unused]] std::uint64_t seed) {
#if defined(NEOX_CUDA_EMULATED)
    cuda::emulation::set_seed(seed);
#endif
}

}  // namespace

TEST(steps_of_every_type_and_shape_are_near_the_reference) {
    for (const KvType type : kKvTypes)
        for (const Shape& s : kShapes) {
            Rig rig(make_config(s.n_head, s.head_dim, s.n_rot), type);
            rig.texts = {text_of(1, 0)};
            // Lengths on both sides of a block's end.
            for (const int pos : {0, 1, 62, 63, 64, 127, 130}) {
                if (pos > 1) rig.store(0, pos == 62 ? 2 : pos == 127 ? 65 : pos == 130 ? 128 : pos, pos);
                const std::vector<TestRow> rows = {{0, pos, kStep}};
                const std::vector<float> given = rig.run(rows);
                CHECK(rig.plan.stores);
                if (pos == 0 || pos == 63 || pos == 64 || pos == 130) rig.check(rows, given, {0});
            }
        }
}

TEST(prompts_of_every_type_and_shape_are_near_the_reference) {
    for (const KvType type : kKvTypes)
        for (const Shape& s : kShapes) {
            Rig rig(make_config(s.n_head, s.head_dim, s.n_rot), type);
            rig.texts = {text_of(2, 3)};
            const std::vector<TestRow> rows = rows_of(0, 0, 70, kPrompt);
            const std::vector<float> given = rig.run(rows);
            CHECK_EQ(rig.plan.n_tiles, type == KvType::f32 ? 0 : 2);
            rig.check(rows, given, {0, 1, 15, 16, 63, 64, 69});
        }
}

TEST(prompts_of_precision_exact_are_f32_under_every_type) {
    for (const KvType type : kKvTypes) {
        Rig rig(make_config(2, 32, 8), type, Precision::exact);
        rig.texts = {text_of(3, 0)};
        const std::vector<TestRow> rows = rows_of(0, 0, 75, kPrompt);
        const std::vector<float> given = rig.run(rows);
        CHECK_EQ(rig.plan.n_tiles, 0);
        CHECK_EQ(rig.plan.slices.size(), 2u);  // the scratch has room for 64 rows
        rig.check(rows, given, {0, 7, 8, 62, 64, 66, 74});
    }
}

TEST(heads_of_many_dimensions_work) {
    for (const KvType type : kKvTypes)
        for (const int head_dim : {256, 520}) {
            Rig rig(make_config(1, head_dim, 64), type);
            rig.texts = {text_of(3, 0)};
            std::vector<TestRow> rows = rows_of(0, 0, 4, kPrompt);
            rig.check(rows, rig.run(rows), {0, 3});
            rows = rows_of(0, 4, 6, kStep);
            rig.check(rows, rig.run(rows), {0, 1});
        }
}

// The CPU's own kernel over the blocks as they come out of the device.
TEST(steps_agree_with_the_cpus_kernel_over_the_same_cache) {
    for (const KvType type : kKvTypes) {
        Rig rig(make_config(2, 48, 12), type);
        rig.texts = {text_of(4, 2)};
        rig.store(0, 0, 100);
        const TestRow row{0, 100, kStep};
        const std::vector<float> given = rig.run({row});
        const std::size_t tile = static_cast<std::size_t>(kv_tile_bytes(type, 48));
        std::vector<std::byte> blocks(2 * rig.kv.block_bytes() + kKvSlack);
        const std::byte *keys[2], *values[2];
        for (std::size_t i = 0; i < 2; ++i) {
            std::byte* block = blocks.data() + i * rig.kv.block_bytes();
            rig.kv.read(rig.stream, rig.texts[0].blocks[i], block);
            keys[i] = block;
            values[i] = block + 2 * tile;
        }
        std::vector<float> q, out(96);
        for (const int head : {0, 1})
            for (const float x : rig.head_of(row, 0, head)) q.push_back(x);
        std::vector<std::byte> scratch(static_cast<std::size_t>(attention_scratch_bytes(48)) + 64);
        const std::int64_t n_positions = 101;
        AttentionArgs args{};
        args.kv_type = type;
        args.head_dim = 48;
        args.scale = 1.0f / std::sqrt(48.0f);
        args.n_rows = 1;
        args.n_heads = 2;
        args.n_positions = &n_positions;
        args.k_blocks = keys;
        args.v_blocks = values;
        args.q = q.data();
        args.q_stride = args.out_stride = 96;
        args.out = out.data();
        args.scratch = scratch.data() + (64 - reinterpret_cast<std::uintptr_t>(scratch.data()) % 64);
        Rig::scalar().attention(args);
        // Under q8_0 the CPU multiplies integers of 15 bits.
        const double limit = type == KvType::q8_0 ? 4e-4 : 4e-6;
        for (std::size_t i = 0; i < out.size(); ++i) CHECK_NEAR(given[i], out[i], limit * 2);
    }
}

TEST(a_steps_bits_depend_on_its_own_sequence_alone) {
    for (const KvType type : kKvTypes) {
        Rig rig(make_config(2, 32, 8), type);
        rig.texts = {text_of(1, 0), text_of(2, 6), text_of(3, 12)};
        for (const int text : {0, 1, 2}) rig.store(text, 0, 126);
        // Alone, one after another; then as a draft of several rows; then beside others, in another order of blocks.
        std::vector<float> alone;
        for (int pos = 126; pos < 131; ++pos)
            for (const float x : rig.run({{0, pos, kStep}})) alone.push_back(x);
        order_blocks_by(12345);
        const std::vector<TestRow> draft = rows_of(0, 126, 131, kStep);
        CHECK(same_bits(rig.run(draft), alone));
        CHECK(rig.plan.stores);
        const std::vector<TestRow> many =
            joined(joined(rows_of(1, 126, 129, kStep), draft), rows_of(2, 126, 127, kStep));
        CHECK(same_bits(slice(rig, rig.run(many), 3, 5), alone));
        // Behind a prompt keys and values are stored first, and longer drafts are two groups.
        const std::vector<TestRow> mixed = joined(rows_of(2, 127, 130, kPrompt), draft);
        CHECK(same_bits(slice(rig, rig.run(mixed), 3, 5), alone));
        CHECK_EQ(rig.plan.stores, type == KvType::f32);  // under which no row goes to the tensor cores
        const std::vector<TestRow> longer = rows_of(0, 120, 131, kStep);
        CHECK(same_bits(slice(rig, rig.run(longer), 6, 5), alone));
        CHECK_EQ(rig.plan.n_step_groups, 2);
        CHECK(!rig.plan.stores);
        order_blocks_by(1);
    }
}

TEST(a_prompts_bits_do_not_depend_on_its_cut) {
    for (const KvType type : {KvType::f16, KvType::q8_0}) {
        Rig rig(make_config(1, 40, 12), type);
        rig.texts = {text_of(1, 0), text_of(2, 6)};
        const std::vector<float> whole = rig.run(rows_of(0, 0, 140, kPrompt));
        for (const auto& cuts :
             {std::vector<int>{0, 1, 64, 65, 140}, std::vector<int>{0, 50, 70, 129, 140}}) {
            std::vector<float> pieces;
            for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
                // Another sequence stands before it, a step behind it.
                std::vector<TestRow> rows = rows_of(1, 0, 5, kPrompt);
                rows = joined(rows, rows_of(0, cuts[i], cuts[i + 1], kPrompt));
                rows.push_back({1, 5, kStep});
                const std::size_t n = static_cast<std::size_t>(cuts[i + 1] - cuts[i]);
                for (const float x : slice(rig, rig.run(rows), 5, n)) pieces.push_back(x);
            }
            CHECK(same_bits(pieces, whole));
        }
    }
}

TEST(sequences_that_share_blocks_see_the_same_past) {
    for (const KvType type : {KvType::f16, KvType::q8_0}) {
        Rig rig(make_config(1, 32, 32), type);
        rig.texts = {text_of(1, 0)};
        rig.run(rows_of(0, 0, 64, kPrompt));
        rig.texts.push_back({7, {rig.texts[0].blocks[0], 20, 21}, 1, 64});
        const std::vector<TestRow> rows = joined(rows_of(0, 64, 70, kPrompt), rows_of(1, 64, 75, kPrompt));
        const std::vector<float> given = rig.run(rows);
        rig.check(rows, given, {0, 5, 6, 16});
        const std::vector<TestRow> steps = {{0, 70, kStep}, {1, 75, kStep}};
        rig.check(steps, rig.run(steps), {0, 1});
    }
}

TEST(prompt_and_step_rows_of_one_sequence_share_a_pass) {
    Rig rig(make_config(2, 32, 8), KvType::f16);
    rig.texts = {text_of(1, 0)};
    // Prompts first: 0 to 9, 20 to 29, then the steps that stand between them.
    std::vector<TestRow> rows = joined(rows_of(0, 0, 10, kPrompt), rows_of(0, 20, 30, kPrompt));
    rows = joined(rows, rows_of(0, 10, 20, kStep));
    const std::vector<float> given = rig.run(rows);
    CHECK_EQ(rig.plan.n_tiles, 2);
    rig.check(rows, given, {0, 9, 10, 19, 20, 27, 28, 29});
}

TEST(layers_have_memories_of_their_own) {
    Rig rig(make_config(1, 16, 4), KvType::f16);
    rig.texts = {text_of(1, 0), text_of(9, 0)};
    const std::vector<float> first = rig.run(rows_of(0, 0, 20, kPrompt), 0);
    rig.run(rows_of(1, 0, 20, kPrompt), 1);
    CHECK(same_bits(slice(rig, rig.run(rows_of(0, 19, 20, kPrompt), 0), 0, 1), slice(rig, first, 19, 1)));
    CHECK_THROWS(rig.kv.layer(2), internal);
}

TEST(a_nan_in_the_cache_shows_in_the_rows_that_see_it) {
    for (const KvType type : kKvTypes) {
        Rig rig(make_config(1, 16, 4), type);
        rig.texts = {text_of(1, 0)};
        rig.store(0, 0, 70);
        // The emulated device's memory is NaN where nobody wrote.
        rig.texts[0].blocks[0] = 9;
        for (const float x : rig.run({{0, 70, kStep}})) CHECK(std::isnan(x));
        for (const float x : rig.run({{0, 70, kPrompt}})) CHECK(std::isnan(x));
    }
}

TEST(a_nan_of_a_later_step_leaves_the_earlier_ones_alone) {
    for (const KvType type : kKvTypes) {
        Rig rig(make_config(1, 32, 8), type);
        rig.texts = {text_of(1, 0)};
        rig.store(0, 0, 66);
        const std::vector<float> expected = rig.run(rows_of(0, 66, 69, kStep));
        rig.nan_at = 68;
        const std::vector<float> given = rig.run(rows_of(0, 66, 69, kStep));
        CHECK(same_bits(slice(rig, given, 0, 2), slice(rig, expected, 0, 2)));
        for (const float x : slice(rig, given, 2, 1)) CHECK(std::isnan(x));
    }
}

TEST(attention_plans_follow_the_rows) {
    const Config c = make_config(2, 32, 8);
    cuda::Stream stream;
    const cuda::StepScratch scratch(stream, c, 8192, 40);
    CHECK_EQ(scratch.n_rows(), 40);
    CHECK_EQ(scratch.n_splits(), 128);
    const auto plan = [&](const std::vector<cuda::DeviceRow>& rows) {
        return cuda::plan_attention(rows, Precision::fast, KvType::f16, 32, scratch);
    };
    // Decoding: lengths of one class are the same launches, and the next class has four times the room.
    const cuda::AttentionPlan near = plan({{0, 3, 3, 1}, {1, 100, 100, 1}}),
                              far = plan({{4, 255, 0, 1}, {2, 7, 7, 1}});
    CHECK(near.stores && far.stores && near.slices == far.slices);
    CHECK(near.slices == (std::vector<cuda::StepSlice>{{0, 2, 0, 1, 4}}));
    CHECK(near.slices != plan({{0, 256, 0, 1}, {1, 100, 100, 1}}).slices);
    CHECK_EQ(plan({{0, 256, 0, 1}}).slices[0].n_splits, 16);
    CHECK_EQ(plan({{0, 8191, 0, 1}}).slices[0].n_splits, 128);
    // A draft of nine rows is two groups; who stands twice is stored first.
    std::vector<cuda::DeviceRow> rows;
    for (std::int32_t pos = 0; pos < 9; ++pos) rows.push_back({0, pos, pos, 1});
    CHECK(plan(rows).slices == (std::vector<cuda::StepSlice>{{0, 2, 0, 8, 4}}));
    CHECK(!plan(rows).stores);
    CHECK(!plan({{0, 3, 3, 1}, {1, 3, 3, 1}, {0, 4, 4, 1}}).stores);
    // As many rows as the scratch has room for in one launch.
    rows.clear();
    for (std::int32_t i = 0; i < 50; ++i) rows.push_back({i, 5, 5, 1});
    CHECK(plan(rows).slices == (std::vector<cuda::StepSlice>{{0, 40, 0, 1, 4}, {40, 10, 40, 1, 4}}));
    // Tiles end where a block of 64 does, the longest come first.
    rows.clear();
    for (std::int32_t pos = 60; pos < 130; ++pos) rows.push_back({0, pos, pos, 0});
    const cuda::AttentionPlan prompt = plan(rows);
    CHECK_EQ(prompt.n_tiles, 3);
    CHECK_EQ(prompt.groups[0].row, 68);
    CHECK_EQ(prompt.groups[1].n_rows, 64);
    CHECK_EQ(prompt.groups[2].n_rows, 4);
}
