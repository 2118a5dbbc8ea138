#include "attention_rig.h"

namespace {

using namespace attention_rig;

// What the device has for the rows of a batch, and what the CPU's table has.
void check_rows(cuda::Stream& stream, cuda::DeviceRope& rope, RopeTable& table, std::vector<Row> rows,
                int n_rot) {
    const Batch batch{rows.data(), static_cast<std::int32_t>(rows.size()), nullptr, 0};
    const std::vector<std::int32_t> indices = rope.prepare(stream, batch);
    table.prepare(batch);
    CHECK_EQ(indices.size(), rows.size());
    const std::size_t half = static_cast<std::size_t>(n_rot / 2);
    std::vector<float> row(2 * half);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        stream.copy_to_host(row.data(), rope.table() + indices[i] * n_rot, row.size() * sizeof(float));
        stream.synchronize();
        const RopeTable::Row expected = table.row(static_cast<std::ptrdiff_t>(i));
        CHECK(std::memcmp(row.data(), expected.cos, half * sizeof(float)) == 0);
        CHECK(std::memcmp(row.data() + half, expected.sin, half * sizeof(float)) == 0);
    }
}

Row row_at(int pos, int rope_length) {
    Row row{};
    row.pos = pos;
    row.rope_length = rope_length;
    return row;
}

}  // namespace

TEST(the_rotary_table_is_the_cpus_and_grows) {
    Config c = make_config(1, 32, 12);
    c.rope_scaling = RopeScaling::linear;
    c.rope_factor = 4.0f;
    cuda::Stream stream;
    cuda::DeviceRope rope(c, 1000, 8);
    RopeTable table(c, 1000);
    check_rows(stream, rope, table, {row_at(0, 1), row_at(5, 6)}, 12);
    check_rows(stream, rope, table, {row_at(300, 301), row_at(5, 6)}, 12);
    check_rows(stream, rope, table, {row_at(999, 1000)}, 12);
    const Row beyond = row_at(1000, 1001);
    CHECK_THROWS(rope.prepare(stream, {&beyond, 1, nullptr, 0}), internal);
    CHECK_EQ(cuda::DeviceRope::bytes(c, 1000, 8), 4u * 12 * 1000);
}

TEST(dynamic_scaling_follows_the_length_of_each_row) {
    Config c = make_config(1, 32, 16);
    c.rope_scaling = RopeScaling::dynamic;
    c.rope_factor = 2.0f;
    c.n_ctx_train = 50;
    cuda::Stream stream;
    cuda::DeviceRope rope(c, 200, 4);
    RopeTable table(c, 200);
    check_rows(stream, rope, table, {row_at(3, 4), row_at(10, 80), row_at(70, 80), row_at(120, 121)}, 16);
    check_rows(stream, rope, table, {row_at(150, 151), row_at(49, 50)}, 16);
    CHECK_EQ(cuda::DeviceRope::bytes(c, 200, 4), 4u * 16 * 204);
    const std::vector<Row> many(5, row_at(100, 101));
    CHECK_THROWS(rope.prepare(stream, {many.data(), 5, nullptr, 0}), internal);
}

TEST(attention_under_dynamic_scaling_is_near_the_reference) {
    Config c = make_config(1, 32, 16);
    c.rope_scaling = RopeScaling::dynamic;
    c.rope_factor = 2.0f;
    c.n_ctx_train = 50;
    Rig rig(c, KvType::f16);
    rig.texts = {{1, {4, 5}}};
    std::vector<TestRow> rows = rows_of(0, 0, 80, RowPhase::prompt);
    for (TestRow& row : rows) row.rope_length = 80;
    rig.check(rows, rig.run(rows), {0, 49, 50, 79});
}
