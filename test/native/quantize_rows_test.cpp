// Quantization to every type: how good, how safe, and the same bytes on every instruction set.
#include "kernels/quantize_rows.h"

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "check.h"
#include "kernels/dispatch.h"
#include "kernels/kernels.h"
#include "quant/quant.h"

namespace {

using namespace neox;

struct Bound {
    DType type;
    double rmse;  // over Gaussian values of deviation 1, at most
};
constexpr Bound kBounds[] = {{DType::Q4_0, 0.084}, {DType::Q4_1, 0.070}, {DType::Q5_0, 0.042},
                             {DType::Q5_1, 0.035}, {DType::Q8_0, 0.006}, {DType::IQ4_NL, 0.080},
                             {DType::Q2_K, 0.290}, {DType::Q3_K, 0.175}, {DType::Q4_K, 0.074},
                             {DType::Q5_K, 0.038}, {DType::Q6_K, 0.021}};

using Values = std::vector<float>;
using Blocks = std::vector<std::byte>;
constexpr std::int64_t kCols = 768;  // 1.5 groups of blocks of 32, 3 super-blocks

Values gaussian(std::int64_t n, std::uint64_t seed) {
    Values x(static_cast<std::size_t>(n));
    std::uint64_t state = seed;
    for (float& v : x) {
        double sum = -6;
        for (int i = 0; i < 12; ++i) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            sum += static_cast<double>(state >> 11) * 0x1p-53;
        }
        v = static_cast<float>(sum);
    }
    return x;
}

Blocks quantized(const Kernels& kernels, DType type, const Values& x, const float* importance = nullptr,
                 std::int64_t n_cols = kCols) {
    const std::int64_t n_rows = static_cast<std::int64_t>(x.size()) / n_cols;
    Blocks blocks(row_bytes(type, x.size()));
    quantize_rows(kernels, type, x.data(), n_rows, n_cols, importance, blocks.data());
    return blocks;
}

Values dequantized(DType type, const Blocks& blocks, std::size_t n) {
    Values x(n);
    dequantize_row(type, blocks.data(), static_cast<std::int64_t>(n), x.data());
    return x;
}

double error(const Values& x, const Values& back, const std::function<double(std::size_t)>& weight) {
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
        sum += weight(i) * std::pow(static_cast<double>(x[i]) - static_cast<double>(back[i]), 2);
    return sum;
}
double rmse(const Values& x, const Values& back) {
    return std::sqrt(error(x, back, [](std::size_t) { return 1.0; }) / static_cast<double>(x.size()));
}

struct Case {
    const char* name;
    Values x;
    double largest_error;  // of any value, in units of the largest magnitude
};

// Two rows each.
std::vector<Case> cases() {
    const std::int64_t n = 2 * kCols;
    std::vector<Case> all;
    const auto add = [&](const char* name, double largest_error, const std::function<float(std::size_t)>& f) {
        Values x(static_cast<std::size_t>(n));
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = f(i);
        all.push_back({name, std::move(x), largest_error});
    };
    const Values noise = gaussian(n, 3);
    add("random", 0.3, [&](std::size_t i) { return noise[i]; });
    add("zeros", 0, [](std::size_t) { return 0.0f; });
    add("constant", 0.02, [](std::size_t) { return 0.37f; });
    add("negative constant", 0.02, [](std::size_t) { return -0.37f; });
    add("one outlier", 0.3, [&](std::size_t i) { return i == 100 ? 500.0f : noise[i]; });
    add("only one value", 0.01, [](std::size_t i) { return i == 700 ? -3.0f : 0.0f; });
    add("large offset", 0.01, [&](std::size_t i) { return 100.0f + 0.01f * noise[i]; });
    add("subnormal", 1, [&](std::size_t i) { return 1e-39f * noise[i]; });
    add("scales near the smallest f16", 1, [&](std::size_t i) { return 1e-7f * noise[i]; });
    add("largest", 0.3,
        [&](std::size_t i) { return i % 7 == 0 ? 65504.0f : -65504.0f * std::fabs(noise[i]) / 6; });
    return all;
}

TEST(quantize_rows_stays_near_and_gives_the_same_bytes_on_every_instruction_set) {
    Values importance(static_cast<std::size_t>(kCols));
    for (std::size_t i = 0; i < importance.size(); ++i)
        importance[i] = i < 64 || i % 5 == 0 ? 0.0f : static_cast<float>(i % 11) * 0.1f;
    for (const Bound& bound : kBounds)
        for (const Case& each : cases())
            for (const float* columns : std::initializer_list<const float*>{nullptr, importance.data()}) {
                const std::string what =
                    text(dtype_info(bound.type).name, ", ", each.name, columns ? ", importance" : "");
                const Blocks blocks = quantized(active_kernels(), bound.type, each.x, columns);
                for (const Kernels* kernels : supported_kernels()) {
                    if (kernels->search_codes == active_kernels().search_codes) continue;
                    if (quantized(*kernels, bound.type, each.x, columns) != blocks)
                        neox_check::failed(__FILE__, __LINE__, what, ": not the bytes of ", kernels->name);
                }
                float largest = 0;
                for (const float v : each.x) largest = std::max(largest, std::fabs(v));
                const Values back = dequantized(bound.type, blocks, each.x.size());
                for (std::size_t i = 0; i < back.size(); ++i) {
                    const bool is_free = columns && columns[i % static_cast<std::size_t>(kCols)] == 0.0f;
                    const double limit = (is_free ? 2.5 : each.largest_error) * static_cast<double>(largest);
                    if (!(std::fabs(back[i] - each.x[i]) <= limit))
                        neox_check::failed(__FILE__, __LINE__, what, ": value ", i, " is ", back[i], ", was ",
                                           each.x[i]);
                }
            }
}

TEST(quantize_rows_keeps_to_the_error_of_its_type) {
    const Values x = gaussian(64 * kCols, 11);
    for (const Bound& bound : kBounds) {
        const double found =
            rmse(x, dequantized(bound.type, quantized(active_kernels(), bound.type, x), x.size()));
        if (!(found <= bound.rmse && found >= 0.8 * bound.rmse))
            neox_check::failed(__FILE__, __LINE__, dtype_info(bound.type).name, ": RMSE ", found,
                               ", expected at most ", bound.rmse);
    }
}

TEST(quantize_rows_beats_the_scale_of_the_largest_value) {
    const Values x = gaussian(16 * kCols, 17);
    Values plain(x.size());
    for (std::size_t i = 0; i < x.size(); i += 32) {
        float largest = 0;
        for (std::size_t j = i; j < i + 32; ++j)
            if (std::fabs(x[j]) > std::fabs(largest)) largest = x[j];
        const float d = largest / -8;
        for (std::size_t j = i; j < i + 32; ++j) plain[j] = d * std::fmin(std::round(x[j] / d), 7.0f);
    }
    const Values ours = dequantized(DType::Q4_0, quantized(active_kernels(), DType::Q4_0, x), x.size());
    CHECK(rmse(x, ours) < 0.95 * rmse(x, plain));
}

TEST(importance_moves_the_error_to_where_it_matters_less) {
    const Values x = gaussian(32 * kCols, 23);
    Values importance(static_cast<std::size_t>(kCols));
    for (std::size_t i = 0; i < importance.size(); ++i) importance[i] = i % 4 == 1 ? 10.0f : 0.1f;
    const auto weight = [&](std::size_t i) { return static_cast<double>(importance[i % importance.size()]); };
    for (const Bound& bound : kBounds) {
        if (bound.type == DType::Q8_0) continue;
        const Values with =
            dequantized(bound.type, quantized(active_kernels(), bound.type, x, importance.data()), x.size());
        const Values without = dequantized(bound.type, quantized(active_kernels(), bound.type, x), x.size());
        CHECK(error(x, with, weight) < 0.97 * error(x, without, weight));
    }
}

TEST(importance_counts_by_its_ratios) {
    const Values x = gaussian(2 * kCols, 29);
    Values importance(static_cast<std::size_t>(kCols)), larger(importance), zeros(importance);
    for (std::size_t i = 0; i < importance.size(); ++i) {
        importance[i] = static_cast<float>(1 + i % 8) * 0.125f;
        larger[i] = importance[i] * 0x1p90f;
    }
    for (const Bound& bound : kBounds) {
        CHECK(quantized(active_kernels(), bound.type, x, importance.data()) ==
              quantized(active_kernels(), bound.type, x, larger.data()));
        const Values back =
            dequantized(bound.type, quantized(active_kernels(), bound.type, x, zeros.data()), x.size());
        CHECK(rmse(x, back) <= 1.2 * bound.rmse);  // nothing matters: as if all mattered alike
    }
}

TEST(quantize_rows_depends_on_the_row_alone) {
    const Values x = gaussian(3 * kCols, 31);
    Values importance(static_cast<std::size_t>(kCols), 1.0f);
    importance[5] = 7.0f;
    for (const Bound& bound : kBounds)
        for (const float* columns : std::initializer_list<const float*>{nullptr, importance.data()}) {
            const Blocks together = quantized(active_kernels(), bound.type, x, columns);
            Blocks apart;
            for (std::size_t row = 0; row < 3; ++row) {
                const auto begin =
                    x.begin() + static_cast<std::ptrdiff_t>(row * static_cast<std::size_t>(kCols));
                const Blocks one =
                    quantized(active_kernels(), bound.type, Values(begin, begin + kCols), columns);
                apart.insert(apart.end(), one.begin(), one.end());
            }
            CHECK(apart == together);
            const std::int64_t length = dtype_info(bound.type).block_length;
            const Values block(x.begin(), x.begin() + length);
            const Blocks alone = quantized(active_kernels(), bound.type, block, nullptr, length);
            if (!columns) CHECK(std::equal(alone.begin(), alone.end(), together.begin()));
        }
}

TEST(quantize_rows_keeps_float_types_exact) {
    const Values x = gaussian(kCols, 37);
    CHECK(dequantized(DType::F32, quantized(active_kernels(), DType::F32, x), x.size()) == x);
    for (const DType type : {DType::F16, DType::BF16}) {
        const Values once = dequantized(type, quantized(active_kernels(), type, x), x.size());
        CHECK(dequantized(type, quantized(active_kernels(), type, once), x.size()) == once);
        CHECK(rmse(x, once) < 2e-3);
    }
}

TEST(quantize_rows_refuses_what_it_cannot_hold) {
    Blocks blocks(4096);
    const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    for (const Bound& bound : kBounds) {
        for (const float bad : {inf, -inf, nan, 65536.0f, -3e38f}) {
            Values x(static_cast<std::size_t>(kCols), 1.0f);
            x[700] = bad;
            try {
                quantize_rows(bound.type, x.data(), 1, kCols, nullptr, blocks.data());
                neox_check::failed(__FILE__, __LINE__, "expected an error");
            } catch (const Error& e) {
                CHECK(e.code() == ErrorCode::format_value);
                CHECK(std::string(e.what()).find("Column 700") != std::string::npos);
            }
        }
        if (bound.type == DType::Q8_0) continue;
        const Values x(static_cast<std::size_t>(kCols), 1.0f);
        for (const float bad : {inf, nan, -1.0f}) {
            Values importance(static_cast<std::size_t>(kCols), 1.0f);
            importance[3] = bad;
            CHECK_THROWS(quantize_rows(bound.type, x.data(), 1, kCols, importance.data(), blocks.data()),
                         format_value);
        }
    }
    const Values x(100, 1.0f);
    CHECK_THROWS(quantize_rows(DType::Q4_0, x.data(), 1, 100, nullptr, blocks.data()), format_shape);
    CHECK_THROWS(quantize_rows(DType::I32, x.data(), 1, 100, nullptr, blocks.data()), unsupported);
    quantize_rows(DType::Q4_0, x.data(), 0, 32, nullptr, blocks.data());
}

}  // namespace
