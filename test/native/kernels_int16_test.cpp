// What is particular to products of 16-bit integers: how values become integers, that no sum of their products overflows, and
// what becomes of tiny, huge and infinite numbers and NaN. Their matrices are among those of kernels_test.cpp.
#include <cmath>
#include <limits>
#include <vector>

#include "kernels_rig.h"

using namespace kernels_rig;

namespace {

constexpr std::int64_t kBlock = 64;

Matrix matrix_of(const std::vector<float>& rows, std::int64_t n_cols) {
    Matrix m;
    m.view.dtype = DType::F32;
    m.view.n_cols = n_cols;
    m.view.n_rows = static_cast<std::int64_t>(rows.size()) / n_cols;
    m.rows.resize(rows.size() * sizeof(float));
    std::memcpy(m.rows.data(), rows.data(), m.rows.size());
    lay_out(m);
    return m;
}

std::vector<const Kernels*> sets() { return kernels_with(DType::F32, Arithmetic::int16); }

// Rows of one block each that are hard to round: the largest aligned ones, large beside small, and all magnitudes.
std::vector<float> hard_rows() {
    std::vector<float> rows;
    const auto add = [&](auto&& value) {
        for (int k = 0; k < kBlock; ++k) rows.push_back(value(k));
    };
    // n equal values: from one, bound by its size, to all, bound by the norm. Two make the largest sum of a pair.
    for (const int n : {1, 2, 3, 4, 5, 16, 17, 31, 33, 63, 64})
        for (const float size : {1.0f, -3.7f, 1e-9f})
            add([&](int k) { return k % 16 * 4 + k / 16 < n ? size : 0.0f; });
    add([](int k) { return k % 2 == 0 ? 0.7f : -0.7f; });
    for (const float outlier : {10.0f, 100.0f, 1e6f, -1e30f})
        add([&](int k) { return k == 37 ? outlier : std::sin(static_cast<float>(3 * k + 1)); });
    for (const float size :
         {3.4e38f, 0x1p120f, 0x1p60f, 0x1p59f, 1e15f, 0x1p-39f, 0x1p-40f, 0x1p-70f, 0x1p-99f})
        add([&](int k) { return size * std::cos(static_cast<float>(k)); });
    add([](int k) { return std::ldexp(1.0f, -3 * k); });
    add([](int) { return 0.0f; });
    random_blocks::Random random{5};
    for (int i = 0; i < 20; ++i)
        add([&](int) { return random.uniform() * random.uniform() * random.uniform(); });
    return rows;
}

// A row's integers and scale, as a tile holds them.
struct Row {
    std::vector<double> integers;
    float scale;
};
Row read_row(const Activations& a, const PromptKernels& prompt, int token) {
    const std::byte* block =
        a.tiles + static_cast<std::size_t>(token / prompt.tile_tokens) * prompt.tile_block_bytes;
    Row row;
    const auto at = static_cast<std::size_t>(token % prompt.tile_tokens);
    for (std::size_t k = 0; k < kBlock; ++k) {
        const std::size_t pair = (k / 32 * 16 + k % 16) * static_cast<std::size_t>(prompt.tile_tokens) + at;
        std::int16_t integer;
        std::memcpy(&integer, block + 4 * pair + 2 * (k % 32 / 16), 2);
        row.integers.push_back(integer);
    }
    const std::size_t scales = kBlock / 2 * static_cast<std::size_t>(prompt.tile_tokens);
    std::memcpy(&row.scale, block + 4 * (scales + at), 4);
    return row;
}

}  // namespace

TEST(kernels_int16_integers) {
    const std::vector<float> x = hard_rows();
    const int n_tokens = static_cast<int>(x.size() / kBlock);
    const std::vector<double> scales = int16_scales(x, kBlock, kBlock);
    ThreadPool pool(1);
    for (const Kernels* kernels : sets()) {
        const PromptKernels prompt = kernels->prompt(DType::F32, Arithmetic::int16);
        CHECK_EQ(prompt.block_cols, static_cast<int>(kBlock));
        ActivationBuffer buffer;
        const Activations a =
            buffer.prepare(pool, *kernels, DType::F32, Arithmetic::int16, x.data(), n_tokens, kBlock);
        for (int token = 0; token < n_tokens; ++token) {
            const Row row = read_row(a, prompt, token);
            CHECK_NEAR(row.scale, scales[static_cast<std::size_t>(token)],
                       1e-6 * scales[static_cast<std::size_t>(token)]);
            double squares = 0;
            for (std::size_t k = 0; k < kBlock; ++k) {
                CHECK(std::fabs(row.integers[k]) <= 32767);
                squares += row.integers[k] * row.integers[k];
                const double value = x[static_cast<std::size_t>(token) * kBlock + k], scale = row.scale;
                CHECK_NEAR(row.integers[k] * scale, value, 0.5 * scale + 5e-7 * std::fabs(value));
            }
            CHECK(squares < 0x1p31);
        }
    }
}

// The sum of a row with itself is the largest that there is, and that with the same magnitudes in another order or with
// other signs has the largest parts.
TEST(kernels_int16_sums_do_not_overflow) {
    std::vector<float> rows = hard_rows();
    for (float& value : rows)
        if (std::fabs(value) > 1e18f) value = 1.0f;  // products of others would be beyond f32
    const Matrix m = matrix_of(rows, kBlock);
    std::vector<float> x = rows;
    for (std::size_t i = 0; i < rows.size(); ++i) x.push_back(i % kBlock < kBlock / 2 ? rows[i] : -rows[i]);
    const int n_tokens = static_cast<int>(x.size() / kBlock);
    const std::vector<float> expected = product(1, scalar(), m.view, Arithmetic::int16, x.data(), n_tokens);
    check_against_f64(expected, m, Arithmetic::int16, {x.begin(), x.end()}, n_tokens);
    for (const Kernels* kernels : sets())
        CHECK(same_bits(product(2, *kernels, m.view, Arithmetic::int16, x.data(), n_tokens), expected));
}

// A number that is none spoils its own row or token, wholly, and no other one.
TEST(kernels_int16_nan_and_infinity_show) {
    constexpr int kRows = 37, kTokens = 27, kBadRow = 20, kBadToken = 13;
    constexpr std::int64_t kCols = 150;
    const std::vector<float> rows = random_rows(kRows, kCols, 3), x = random_rows(kTokens, kCols, 4);
    const std::vector<float> good =
        product(1, scalar(), matrix_of(rows, kCols).view, Arithmetic::int16, x.data(), kTokens);
    for (const float bad : {NAN, INFINITY, -INFINITY})
        for (const std::int64_t column : {0, 63, 100, 149}) {
            std::vector<float> bad_rows = rows, bad_x = x;
            bad_rows[static_cast<std::size_t>(kBadRow * kCols + column)] = bad;
            bad_x[static_cast<std::size_t>(kBadToken * kCols + column)] = bad;
            const Matrix m = matrix_of(bad_rows, kCols);
            for (const Kernels* kernels : sets()) {
                const std::vector<float> y =
                    product(1, *kernels, m.view, Arithmetic::int16, bad_x.data(), kTokens);
                for (int token = 0; token < kTokens; ++token)
                    for (int row = 0; row < kRows; ++row) {
                        const auto i = static_cast<std::size_t>(token * kRows + row);
                        if (token == kBadToken || row == kBadRow) {
                            CHECK(std::isnan(y[i]));
                        } else {
                            CHECK_EQ(y[i], good[i]);
                        }
                    }
            }
        }
}

// What is too small for its inverse counts as zero, beside anything.
TEST(kernels_int16_tiny_values) {
    std::vector<float> x(kBlock, 0x1p-101f);
    x[5] = std::numeric_limits<float>::denorm_min();
    const Matrix m = matrix_of(std::vector<float>(kBlock, 0x1p100f), kBlock);
    for (const Kernels* kernels : sets()) {
        CHECK_EQ(product(1, *kernels, m.view, Arithmetic::int16, x.data(), 1)[0], 0.0f);
        x[6] = 0x1p-100f;
        CHECK_NEAR(product(1, *kernels, m.view, Arithmetic::int16, x.data(), 1)[0], 1 + 0.5 * 62, 1e-2);
        x[6] = 0x1p-101f;
    }
}

// The same for a row alone as beside rows of other sizes.
TEST(kernels_int16_rows_are_alone) {
    const std::vector<float> rows = hard_rows();
    const Matrix m = matrix_of(random_rows(19, kBlock, 8), kBlock);
    const int n_tokens = static_cast<int>(rows.size() / kBlock);
    for (const Kernels* kernels : sets()) {
        const std::vector<float> all = product(1, *kernels, m.view, Arithmetic::int16, rows.data(), n_tokens);
        for (int token = 0; token < n_tokens; ++token) {
            const std::vector<float> alone =
                product(1, *kernels, m.view, Arithmetic::int16,
                        rows.data() + static_cast<std::size_t>(token) * kBlock, 1);
            CHECK(std::memcmp(alone.data(), all.data() + static_cast<std::size_t>(token) * 19,
                              alone.size() * sizeof(float)) == 0);
        }
    }
}
