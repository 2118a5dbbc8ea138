// What is particular to products in bf16: how activations are packed, the order of the sums, and what becomes of subnormal
// numbers, infinity and NaN. Their matrices are among those of kernels_test.cpp.
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels_rig.h"

using namespace kernels_rig;

namespace {

float from_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }

// Every kind of value: exact ones, halfway between two, subnormal, infinite, not a number.
std::vector<float> every_kind(std::size_t n) {
    const float values[] = {1.0f,
                            -0.0f,
                            0.3f,
                            from_bits(0x3f808000),
                            from_bits(0x3f818000),
                            from_bits(0x3f808001),
                            0x1p-127f,
                            -0x1p-149f,
                            from_bits(0x007fffff),
                            0x1p-126f,
                            3.4e38f,
                            -3.4e38f,
                            INFINITY,
                            -INFINITY,
                            NAN,
                            from_bits(0x7f800001),
                            from_bits(0xffffffff),
                            65504.0f,
                            -1e-20f};
    std::vector<float> out(n);
    for (std::size_t i = 0; i < n; ++i) out[i] = values[i * 7 % std::size(values)];
    return out;
}

}  // namespace

TEST(kernels_bf16_packing) {
    for (const int n_cols : {1, 2, 31, 32, 45, 64, 97})
        for (const int n_tokens : {1, 5, 12}) {
            const std::vector<float> x = every_kind(static_cast<std::size_t>(n_tokens * n_cols));
            const auto size = static_cast<std::size_t>((n_cols + 1) / 2 * kBf16Tokens);
            for (const Kernels* kernels : kernels_with(DType::F32, Arithmetic::bf16)) {
                std::vector<std::uint32_t> pairs(size + 1, 0xdeadbeefu);
                kernels->pack_bf16(x.data(), n_tokens, n_cols, pairs.data());
                for (std::size_t i = 0; i < size; ++i)
                    for (int half = 0; half < 2; ++half) {
                        const auto token = static_cast<int>(i % kBf16Tokens);
                        const auto column = static_cast<int>(i / kBf16Tokens) * 2 + half;
                        float value = 0.0f;
                        if (token < n_tokens && column < n_cols)
                            value = x[static_cast<std::size_t>(token * n_cols + column)];
                        if (std::fabs(value) < std::numeric_limits<float>::min())
                            value = std::copysign(0.0f, value);
                        CHECK_EQ(pairs[i] >> 16 * half & 0xffffu, std::uint32_t{f32_to_bf16(value)});
                    }
                CHECK_EQ(pairs[size], 0xdeadbeefu);
            }
        }
}

TEST(kernels_bf16_sums) {
    const auto product_of = [](const Kernels& kernels, const std::vector<float>& w,
                               const std::vector<float>& x) {
        Matrix m;
        m.view.dtype = DType::F32;
        m.view.n_rows = 1;
        m.view.n_cols = static_cast<std::int64_t>(w.size());
        m.rows.resize(w.size() * sizeof(float));
        std::memcpy(m.rows.data(), w.data(), m.rows.size());
        lay_out(m);
        return product(1, kernels, m.view, Arithmetic::bf16, x.data(), 1)[0];
    };
    const auto dot = [&](const Kernels& kernels, float w0, float w1, float x0, float x1) {
        return product_of(kernels, {w0, w1}, {x0, x1});
    };
    for (const Kernels* kernels : kernels_with(DType::F32, Arithmetic::bf16)) {
        CHECK_EQ(dot(*kernels, 3.0f, 5.0f, 7.0f, 11.0f), 76.0f);
        // The second column of a pair goes first, each sum is rounded: 1 + 2^-24 is 1, and with 1.5 * 2^-24 it is
        // 1 + 2^-23. The other way round it would be 1 + 2^-22.
        CHECK_EQ(product_of(*kernels, {1.0f, 0.0f, 0x1.8p-12f, 0x1p-12f}, {1.0f, 0.0f, 0x1p-12f, 0x1p-12f}),
                 0x1.000002p0f);
        CHECK_EQ(dot(*kernels, 0x1.02p0f, 0x1.02p-13f, 0x1.02p0f, 0x1.02p-13f),
                 std::fma(0x1.02p0f, 0x1.02p0f, 0x1.02p-13f * 0x1.02p-13f));
        // Subnormal inputs count as zero, subnormal sums become zero, whatever comes after.
        CHECK_EQ(dot(*kernels, 0x1p-127f, 0.0f, 0x1p100f, 1.0f), 0.0f);
        CHECK_EQ(dot(*kernels, 0x1p-60f, 0.0f, 0x1p-67f, 1.0f), 0.0f);
        CHECK_EQ(dot(*kernels, 0x1p-60f, 0.0f, 0x1p-66f, 1.0f), 0x1p-126f);
        CHECK_EQ(dot(*kernels, 0x1p-63f, 0x1p-64f, 0x1p-63f, 0x1p-63f), 0x1p-126f);
        CHECK(std::isnan(dot(*kernels, NAN, 1.0f, 1.0f, 1.0f)));
        CHECK(std::isnan(dot(*kernels, 0.0f, 1.0f, INFINITY, 1.0f)));
        CHECK_EQ(dot(*kernels, 2.0f, 1.0f, INFINITY, 1.0f), INFINITY);
        CHECK_EQ(dot(*kernels, 3e38f, 3e38f, 2.0f, 1.0f), INFINITY);
    }
}

// Whole rows of every kind of value, in every position of a tile and of a pair of panels.
TEST(kernels_bf16_same_bits_for_every_kind_of_value) {
    Matrix m;
    m.view.dtype = DType::F32;
    m.view.n_rows = 40;
    m.view.n_cols = 5;
    const std::vector<float> rows = every_kind(200);
    m.rows.resize(rows.size() * sizeof(float));
    std::memcpy(m.rows.data(), rows.data(), m.rows.size());
    lay_out(m);
    const std::vector<float> x = every_kind(27 * 5);
    const std::vector<float> expected = product(1, scalar(), m.view, Arithmetic::bf16, x.data(), 27);
    for (const Kernels* kernels : kernels_with(DType::F32, Arithmetic::bf16)) {
        const std::vector<float> y = product(2, *kernels, m.view, Arithmetic::bf16, x.data(), 27);
        for (std::size_t i = 0; i < y.size(); ++i)
            CHECK((std::isnan(y[i]) && std::isnan(expected[i])) || same_bits({y[i]}, {expected[i]}));
    }
}
