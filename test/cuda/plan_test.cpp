// What is decided before anything is launched.
#include "cuda/plan.h"

#include "check.h"
#include "cuda/matvec.h"
#include "cuda/rows.h"

namespace {

using namespace neox;
using namespace neox::cuda;

BackendOptions options_of(Precision precision, bool deterministic) {
    BackendOptions options{};
    options.precision = precision;
    options.kv_type = KvType::f16;
    options.n_threads = 1;
    options.n_kv_blocks = 40;
    options.n_ctx = 1000;
    options.max_rows = 100;
    options.deterministic = deterministic ? 1 : 0;
    return options;
}

Config small_config() {
    Config config;
    config.n_layer = 3;
    config.n_embd = 80;
    config.n_head = 5;
    config.n_ff = 200;
    config.n_vocab = 101;
    config.n_rot = 16;
    config.n_ctx_train = 64;
    return config;
}

void check_plan(const ProductPlan& plan, const RowRange& first, const RowRange& second) {
    const RowRange expected[2] = {first, second};
    for (int i = 0; i < 2; ++i) {
        CHECK_EQ(plan.ranges[i].n, expected[i].n);
        if (expected[i].n == 0) continue;
        CHECK_EQ(plan.ranges[i].begin, expected[i].begin);
        CHECK(plan.ranges[i].product == expected[i].product);
    }
}

}  // namespace

TEST(plan_rows_take_the_product_of_their_phase) {
    for (const Precision precision : {Precision::high, Precision::fast})
        for (const bool deterministic : {false, true}) {
            const BackendOptions options = options_of(precision, deterministic);
            check_plan(plan_products(options, 20, 8), {0, 20, Product::tensor}, {20, 8, Product::columns});
            check_plan(plan_products(options, 0, 1), {}, {0, 1, Product::columns});
            check_plan(plan_products(options, 1, 0), {0, 1, Product::tensor}, {});
        }
    check_plan(plan_products(options_of(Precision::exact, false), 20, 30), {0, 20, Product::f32},
               {20, 30, Product::columns});
}

TEST(plan_many_steps_share_the_tensor_cores_unless_bits_matter) {
    check_plan(plan_products(options_of(Precision::fast, false), 5, kMatvecRows + 1),
               {0, 6 + kMatvecRows, Product::tensor}, {});
    check_plan(plan_products(options_of(Precision::fast, true), 5, kMatvecRows + 1), {0, 5, Product::tensor},
               {5, kMatvecRows + 1, Product::columns});
}

TEST(plan_places_of_the_upload_depend_on_the_rows_alone) {
    const BackendOptions options = options_of(Precision::fast, false);
    CHECK_EQ(blocks_stride(options), 16);
    const InputLayout one = input_layout(options, 7, 1), many = input_layout(options, 7, 5);
    CHECK_EQ(one.rows, many.rows);
    CHECK_EQ(one.tokens, many.tokens);
    CHECK_EQ(one.slots, many.slots);
    CHECK_EQ(one.groups, many.groups);
    CHECK_EQ(one.blocks, many.blocks);
    CHECK(one.tokens >= one.rows + 7 * sizeof(DeviceRow));
    CHECK(one.slots >= one.tokens + 28 && one.groups >= one.slots + 28);
    CHECK(one.blocks >= one.groups + 7 * sizeof(RowGroup));
    CHECK(one.end >= one.blocks + 64 && many.end >= many.blocks + 5 * 64);
}

TEST(plan_no_sequence_has_more_blocks_than_the_pool) {
    BackendOptions options = options_of(Precision::fast, false);
    options.n_ctx = 1 << 20;
    CHECK_EQ(blocks_stride(options), 40);
}

TEST(plan_scratch_has_room_for_every_row) {
    const ScratchSizes sizes = scratch_sizes(small_config(), options_of(Precision::fast, false));
    CHECK_EQ(sizes.x, 100u * 96);
    CHECK_EQ(sizes.qkv, 100u * 256);
    CHECK_EQ(sizes.ffn, 100u * 224);
    CHECK_EQ(sizes.rounded, 100u * 224);
    CHECK_EQ(sizes.logits, 64u * 128);
    const ScratchSizes exact = scratch_sizes(small_config(), options_of(Precision::exact, false));
    CHECK_EQ(exact.rounded, 0u);
    CHECK(exact.bytes() < sizes.bytes());
    // The head works on more rows than such a pass has.
    BackendOptions few = options_of(Precision::fast, false);
    few.max_rows = 1;
    CHECK_EQ(scratch_sizes(small_config(), few).norm, 64u * 96);
}

TEST(plan_refuses_what_cannot_be_launched) {
    BackendOptions options = options_of(Precision::fast, false);
    options.max_rows = 70000;
    CHECK_THROWS(check_options(small_config(), options), unsupported);
    options.max_rows = 0;
    CHECK_THROWS(check_options(small_config(), options), unsupported);
    options = options_of(Precision::fast, false);
    options.layer_begin = 2;
    options.layer_end = 4;
    CHECK_THROWS(check_options(small_config(), options), internal);
}
