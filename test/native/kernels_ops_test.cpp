// The kernels beside the products: every instruction set against the scalar one (bit for bit) and against
// float64.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "check.h"
#include "kernels/ceiling.h"
#include "kernels/dispatch.h"

using namespace neox;

namespace {

struct Random {
    std::uint64_t state;
    float uniform() {  // -1 to 1
        state = state * 6364136223846793005u + 1442695040888963407u;
        return static_cast<float>(state >> 33) * 0x1p-30f - 1.0f;
    }
};

std::vector<float> random_values(std::int64_t n, float size, std::uint64_t seed) {
    Random random{seed * 77 + 1};
    std::vector<float> values(static_cast<std::size_t>(n));
    for (float& value : values) value = size * random.uniform();
    return values;
}

template <class T> bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

const Kernels& scalar() { return *all_kernels().back(); }

constexpr int kLengths[] = {1, 2, 15, 16, 17, 31, 64, 100, 2816};

struct Quantized {
    std::vector<std::int8_t> high, low;
    std::vector<float> scale;
    std::vector<std::int32_t> sum;
    bool operator==(const Quantized& o) const {
        return high == o.high && low == o.low && same_bits(scale, o.scale) && sum == o.sum;
    }
};

Quantized quantize(const Kernels& kernels, const std::vector<float>& x) {
    const auto n = static_cast<std::int64_t>(x.size());
    Quantized q{std::vector<std::int8_t>(x.size()), std::vector<std::int8_t>(x.size()),
                std::vector<float>(x.size() / 32), std::vector<std::int32_t>(x.size() / 16)};
    kernels.quantize_q15(x.data(), n, q.high.data(), q.low.data(), q.scale.data(), q.sum.data());
    return q;
}

// Zeros, values at the limit, ties, an outlier, the largest number, subnormal ones, halves.
std::vector<float> values_to_quantize() {
    std::vector<float> x = random_values(32 * 40, 3.0f, 1);
    std::fill_n(x.begin() + 32, 32, 0.0f);
    std::fill_n(x.begin() + 64, 32, -0.0f);
    for (int i = 0; i < 32; ++i) x[96 + i] = 127.0f * ((i % 2) ? 1.0f : -1.0f);  // every value at the limit
    for (int i = 0; i < 32; ++i)
        x[128 + i] = static_cast<float>(i) - 15.5f;  // ties: the limit 15.5 is 127 / 8.19...
    x[160] = 1e30f;                                  // outlier
    x[192] = std::numeric_limits<float>::max();
    std::fill_n(x.begin() + 224, 32, 1e-40f);  // subnormal
    for (int i = 0; i < 32; ++i)
        x[256 + i] = static_cast<float>(2 * i - 31) + 0.5f * (i != 31);  // halves, largest 31
    x[256] = 127.0f;  // scale 1: x.5 goes to the even integer
    return x;
}

}  // namespace

TEST(kernels_quantize) {
    const std::vector<float> x = values_to_quantize();
    const Quantized expected = quantize(scalar(), x);
    constexpr int kLimit = 127 * 128;
    for (std::size_t block = 0; block < x.size() / 32; ++block) {
        std::int32_t sums[2] = {0, 0};
        double absmax = 0;
        for (std::size_t i = 32 * block; i < 32 * block + 32; ++i) {
            absmax = std::max(absmax, std::fabs(static_cast<double>(x[i])));
            const int q = 128 * expected.high[i] + expected.low[i];
            sums[i % 32 / 16] += q;
            CHECK(std::abs(q) <= kLimit && expected.high[i] >= -127);
            CHECK(expected.low[i] >= -64 && expected.low[i] <= 63);
            const double step = static_cast<double>(expected.scale[block]);
            CHECK_NEAR(step * q, static_cast<double>(x[i]), step * 0.5001 + absmax * 2e-7 + 1e-37);
        }
        CHECK_EQ(expected.sum[2 * block], sums[0]);
        CHECK_EQ(expected.sum[2 * block + 1], sums[1]);
        if (absmax < 1e-37) CHECK_EQ(expected.scale[block], 0.0f);
        if (absmax > 1e-30) CHECK_NEAR(expected.scale[block], absmax / kLimit, absmax / kLimit * 1e-6);
    }
    for (const Kernels* kernels : supported_kernels()) CHECK(quantize(*kernels, x) == expected);
    for (const float bad : {NAN, -NAN, INFINITY, -INFINITY}) {
        std::vector<float> y = random_values(64, 1.0f, 2);
        y[40] = bad;
        for (const Kernels* kernels : supported_kernels()) {
            CHECK(std::isfinite(quantize(*kernels, y).scale[0]));
            CHECK(std::isnan(quantize(*kernels, y).scale[1]));
        }
    }
}

TEST(kernels_layer_norm) {
    for (const int n : kLengths) {
        std::vector<float> x = random_values(n, 2.0f, 3), weight = random_values(n, 1.0f, 4),
                           bias = random_values(n, 1.0f, 5);
        for (float& value : x) value += 30.0f;  // a mean far above the deviation
        double mean = 0, variance = 0;
        for (const float value : x) mean += value;
        mean /= n;
        for (const float value : x) variance += (value - mean) * (value - mean);
        variance /= n;
        std::vector<float> expected(x.size());
        scalar().layer_norm(x.data(), weight.data(), bias.data(), 1e-5f, n, expected.data());
        for (std::size_t i = 0; i < x.size(); ++i)
            CHECK_NEAR(expected[i], (x[i] - mean) / std::sqrt(variance + 1e-5) * weight[i] + bias[i],
                       n == 1 ? 1e-3 : 6e-6);
        for (const Kernels* kernels : supported_kernels()) {
            std::vector<float> y = x;
            kernels->layer_norm(y.data(), weight.data(), bias.data(), 1e-5f, n, y.data());  // in place
            CHECK(same_bits(y, expected));
        }
    }
}

TEST(kernels_rope) {
    for (const int n_rot : {2, 16, 24, 32, 34, 64, 128}) {
        const std::vector<float> head = random_values(160, 3.0f, 6),
                                 angles = random_values(n_rot / 2, 3.0f, 7);
        std::vector<float> cosines, sines;
        for (const float angle : angles) {
            cosines.push_back(std::cos(angle));
            sines.push_back(std::sin(angle));
        }
        for (const Kernels* kernels : supported_kernels()) {
            std::vector<float> y = head;
            kernels->rope(y.data(), cosines.data(), sines.data(), n_rot);
            const auto half = static_cast<std::size_t>(n_rot / 2);
            for (std::size_t j = 0; j < half; ++j) {
                const float ac = head[j] * cosines[j], bs = head[half + j] * sines[j];
                const float bc = head[half + j] * cosines[j], as = head[j] * sines[j];
                CHECK_EQ(y[j], ac - bs);
                CHECK_EQ(y[half + j], bc + as);
            }
            for (std::size_t j = 2 * half; j < 160; ++j) CHECK_EQ(y[j], head[j]);
        }
    }
}

TEST(kernels_gelu_erf_is_accurate_in_the_tail) {
    std::vector<float> x;
    for (double value = -13.0; value < 20.0; value += 0.00097) x.push_back(static_cast<float>(value));
    for (const float value : {0.0f, -0.0f, 1e-30f, -1e-30f, 1e-6f, 100.0f, 1e19f, 3e38f, INFINITY})
        x.push_back(value);
    std::vector<float> expected = x;
    scalar().bias_gelu_erf(expected.data(), nullptr, static_cast<std::int64_t>(x.size()));
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double value = x[i];
        const double exact = std::isinf(value) ? value : 0.5 * value * std::erfc(-value * std::sqrt(0.5));
        if (std::isinf(exact)) {
            CHECK_EQ(expected[i], x[i]);
        } else {
            CHECK_NEAR(expected[i], exact, 1e-6 * std::fabs(exact) + 1e-37);
        }
    }
    for (const float value : {-14.0f, -50.0f, -1e19f, -3e38f, -INFINITY}) {
        float y = value;
        scalar().bias_gelu_erf(&y, nullptr, 1);
        CHECK_NEAR(y, 0.0, 1e-37);
    }
    float nan = NAN;
    scalar().bias_gelu_erf(&nan, nullptr, 1);
    CHECK(std::isnan(nan));
    for (const Kernels* kernels : supported_kernels()) {
        std::vector<float> y = x;
        kernels->bias_gelu_erf(y.data(), nullptr, static_cast<std::int64_t>(x.size()));
        CHECK(same_bits(y, expected));
    }
}

TEST(kernels_gelu_tanh) {
    std::vector<float> x;
    for (double value = -9.0; value < 12.0; value += 0.00091) x.push_back(static_cast<float>(value));
    for (const float value : {0.0f, 1e-30f, 100.0f, 3e38f, -100.0f, -3e38f}) x.push_back(value);
    std::vector<float> expected = x;
    scalar().bias_gelu_tanh(expected.data(), nullptr, static_cast<std::int64_t>(x.size()));
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double value = x[i];
        const double u = std::sqrt(2 / std::acos(-1.0)) * (value + 0.044715 * value * value * value);
        const double exact = value / (1 + std::exp(-2 * u));
        CHECK_NEAR(expected[i], exact, (1e-6 + 3e-7 * std::fabs(u)) * std::fabs(exact) + 1e-30);
    }
    for (const Kernels* kernels : supported_kernels()) {
        std::vector<float> y = x;
        kernels->bias_gelu_tanh(y.data(), nullptr, static_cast<std::int64_t>(x.size()));
        CHECK(same_bits(y, expected));
    }
}

TEST(kernels_bias_and_residual) {
    for (const int n : kLengths) {
        const std::vector<float> x = random_values(n, 2.0f, 8), bias = random_values(n, 1.0f, 9);
        const std::vector<float> residual = random_values(n, 1.0f, 10);
        for (const Kernels* kernels : supported_kernels()) {
            std::vector<float> sum = x, only_bias = x, neither = x, gelu = x, biased = x;
            kernels->bias_add(sum.data(), bias.data(), residual.data(), n);
            kernels->bias_add(only_bias.data(), bias.data(), nullptr, n);
            kernels->bias_add(neither.data(), nullptr, nullptr, n);
            kernels->bias_gelu_erf(gelu.data(), bias.data(), n);
            for (std::size_t i = 0; i < x.size(); ++i) biased[i] += bias[i];
            kernels->bias_gelu_erf(biased.data(), nullptr, n);
            CHECK(same_bits(neither, x));
            CHECK(same_bits(gelu, biased));
            for (std::size_t i = 0; i < x.size(); ++i) {
                CHECK_EQ(only_bias[i], x[i] + bias[i]);
                CHECK_EQ(sum[i], (x[i] + bias[i]) + residual[i]);
            }
        }
    }
}

TEST(kernels_argmax_is_the_first) {
    for (const int n : kLengths)
        for (std::uint64_t seed = 0; seed < 5; ++seed) {
            std::vector<float> x = random_values(n, 5.0f, 12 + seed);
            const auto count = static_cast<std::size_t>(n);
            if (seed == 1) std::fill(x.begin(), x.end(), -3.0f);
            if (seed == 2) x[count - 1] = x[count / 2] = 6.0f;
            if (seed == 3) std::fill(x.begin(), x.end(), -INFINITY);
            for (const Kernels* kernels : supported_kernels()) {
                std::int32_t index = -1;
                float value = 0;
                bool nan = true;
                kernels->argmax(x.data(), n, &index, &value, &nan);
                CHECK_EQ(index, std::max_element(x.begin(), x.end()) - x.begin());
                CHECK_EQ(value, x[static_cast<std::size_t>(index)]);
                CHECK(!nan);
                std::vector<float> y = x;
                y[static_cast<std::size_t>(seed) * 7 % count] = NAN;
                kernels->argmax(y.data(), n, &index, &value, &nan);
                CHECK(nan);
                CHECK(index >= 0 && index < n);
            }
        }
}

TEST(kernels_log_sum_exp) {
    for (const int n : kLengths) {
        const std::vector<float> x = random_values(n, 40.0f, 20);
        const float max = *std::max_element(x.begin(), x.end());
        double sum = 0;
        for (const float value : x) sum += std::exp(static_cast<double>(value) - max);
        const double expected = scalar().log_sum_exp(x.data(), n, max);
        CHECK_NEAR(expected, max + std::log(sum), 3e-7);
        for (const Kernels* kernels : supported_kernels())
            CHECK_EQ(kernels->log_sum_exp(x.data(), n, max), expected);
    }
}

// Every set's measuring loops do what they say: the operations that they count follow from the rounds, the result from
// the data, and read() adds up all 32-bit words.
TEST(kernels_measuring_loops) {
    std::vector<std::int32_t> words(4096 / 4);
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
        words[i] = static_cast<std::int32_t>(i * i * 40503u + 77u);
        sum += static_cast<std::uint32_t>(words[i]);
    }
    for (const Kernels* kernels : supported_kernels()) {
        CHECK_EQ(kernels->read(reinterpret_cast<const std::byte*>(words.data()), 4096),
                 static_cast<std::int32_t>(sum));
        for (const auto loop : {kernels->peak_int8, kernels->peak_int16, kernels->peak_f32}) {
            if (!loop) continue;
            float once = -1, twice = -1;
            const std::int64_t operations = loop(3, &once);
            CHECK(operations >= 3 * 32);
            CHECK_EQ(loop(6, &twice), 2 * operations);
            CHECK(std::isfinite(once) && std::isfinite(twice) && once != twice);
        }
    }
}

TEST(kernels_ceilings) {
    ThreadPool pool(2);
    const Ceilings ceilings =
        measure_ceilings(pool, *supported_kernels().front(), 0.1, std::size_t{64} << 20);
    CHECK(ceilings.read_gb_per_s > 0.1 && ceilings.read_gb_per_s < 1e5);
    CHECK(ceilings.f32_gflop_per_s > 0.01);
    CHECK((ceilings.int8_gop_per_s > 0) == (supported_kernels().front()->peak_int8 != nullptr));
    CHECK((ceilings.int16_gop_per_s > 0) == (supported_kernels().front()->peak_int16 != nullptr));
    CHECK_THROWS(measure_ceilings(pool, scalar(), 0.01, std::size_t{64} << 20), invalid_argument);
    CHECK_THROWS(measure_ceilings(pool, scalar(), 0.1, 1000), invalid_argument);
}
