// cuda/norm.h against sums in f64.
#include "cuda/norm.h"

#include <cmath>
#include <limits>
#include <vector>

#include "base/half.h"
#include "check.h"
#include "matmul_rig.h"

using namespace matmul_rig;

namespace {

constexpr float kEps = 1e-5f;

std::vector<double> normalized(const std::vector<float>& x, std::size_t first, std::size_t n,
                               const std::vector<float>& weight, const std::vector<float>& bias) {
    double sum = 0.0, squares = 0.0;
    for (std::size_t i = 0; i < n; ++i) sum += x[first + i];
    const double mean = sum / static_cast<double>(n);
    for (std::size_t i = 0; i < n; ++i) squares += (x[first + i] - mean) * (x[first + i] - mean);
    const double factor = 1.0 / std::sqrt(squares / static_cast<double>(n) + kEps);
    std::vector<double> y(n);
    for (std::size_t i = 0; i < n; ++i) y[i] = (x[first + i] - mean) * factor * weight[i] + bias[i];
    return y;
}

struct Rounded {
    std::vector<float> values, scales;  // values: [n_rows][padded], what the halves and scales stand for
    std::vector<std::uint16_t> halves;
};
// Rows of n values without a norm. Memory behind them is NaN.
Rounded round_rows(Stream& stream, const std::vector<float>& x, int n_rows, int n) {
    const std::int64_t stride = padded(n);
    std::vector<float> strided(static_cast<std::size_t>(n_rows * stride),
                               std::numeric_limits<float>::quiet_NaN());
    for (int i = 0; i < n_rows; ++i)
        std::copy_n(x.begin() + i * n, n, strided.begin() + static_cast<std::ptrdiff_t>(i * stride));
    const DeviceBuffer<float> from = to_device(stream, strided);
    DeviceBuffer<float> scale(static_cast<std::size_t>(n_rows));
    DeviceBuffer<std::uint16_t> to(strided.size());
    NormArgs args;
    args.x = from.data();
    args.x_stride = args.y16_stride = stride;
    args.n_rows = n_rows;
    args.n_cols = n;
    args.y16 = to.data();
    args.scale = scale.data();
    launch_norm(stream, args);
    Rounded result{std::vector<float>(strided.size()), to_host(stream, scale), to_host(stream, to)};
    for (std::size_t i = 0; i < strided.size(); ++i)
        result.values[i] = f16_to_f32(result.halves[i]) * result.scales[i / static_cast<std::size_t>(stride)];
    return result;
}

}  // namespace

TEST(cuda_norm_normalizes_rows) {
    Stream stream;
    for (const int n : {1, 3, 32, 75, 256, 1100, 2816}) {
        const std::int64_t stride = padded(n) + 32;
        const auto width = static_cast<std::size_t>(n), step = static_cast<std::size_t>(stride);
        std::vector<float> x = random_floats(3 * step, 1.0f, 61);
        for (std::size_t i = 0; i < step; ++i) {
            x[step + i] = 50.0f + x[step + i];  // far from zero beside its spread
            x[2 * step + i] *= 1e4f;
        }
        const std::vector<float> weight = random_floats(width, 2.0f, 63),
                                 bias = random_floats(width, 1.0f, 65);
        const DeviceBuffer<float> from = to_device(stream, x), w = to_device(stream, weight),
                                  b = to_device(stream, bias);
        DeviceBuffer<float> to(3 * step), scale(3);
        DeviceBuffer<std::uint16_t> to16(3 * step);
        NormArgs args{from.data(), stride,    3,      n,           w.data(), b.data(),
                      kEps,        to.data(), stride, to16.data(), stride,   scale.data()};
        launch_norm(stream, args);
        const std::vector<float> y = to_host(stream, to), scales = to_host(stream, scale);
        const std::vector<std::uint16_t> halves = to_host(stream, to16);
        for (std::size_t row = 0; row < 3; ++row) {
            const std::vector<double> expected = normalized(x, row * step, width, weight, bias);
            double largest = 0.0;
            for (std::size_t i = 0; i < width; ++i) {
                const double difference = 1e-6 * (row == 1 ? 50 : 4) * (1.0 + std::fabs(expected[i]));
                CHECK_NEAR(y[row * step + i], expected[i], difference);
                largest = std::max(largest, std::fabs(expected[i]));
            }
            for (std::size_t i = 0; i < step; ++i) {
                const double value = f16_to_f32(halves[row * step + i]) * scales[row];
                if (i >= width) CHECK_EQ(y[row * step + i], 0.0f);
                CHECK_NEAR(value, y[row * step + i], 0x1p-11 * std::fabs(value) + largest * 0x1p-24);
            }
        }
        // Over its own rows, alone, without the other result: the same bits.
        args.y = const_cast<float*>(from.data()) + step;
        args.x = args.y;
        args.n_rows = 1;
        args.y16 = nullptr;
        launch_norm(stream, args);
        const std::vector<float> over = to_host(stream, from);
        for (std::size_t i = 0; i < step; ++i) CHECK_EQ(over[step + i], y[step + i]);
    }
}

TEST(cuda_norm_scales_rows_that_f16_cannot_hold) {
    Stream stream;
    const float largest[] = {1.0f, 0.25f, 32768.0f, 40000.0f, 3.4e38f, 0.2f, 1e-7f, 1e-29f, 1e-38f, 0.0f};
    std::vector<float> x;
    for (const float size : largest) {
        std::vector<float> row = random_floats(70, size, 67);
        row[69] = -size;
        x.insert(x.end(), row.begin(), row.end());
    }
    const Rounded rounded = round_rows(stream, x, 10, 70);
    for (std::size_t row = 0; row < 10; ++row) {
        const float scale = rounded.scales[row];
        int exponent = 0;
        CHECK_EQ(std::frexp(scale, &exponent), 0.5f);  // a power of two
        if (row < 3 || row == 9)
            CHECK_EQ(scale, 1.0f);
        else if (row != 8)
            CHECK(largest[row] / scale >= 1.0f && largest[row] / scale < 4.0f);
        const double least = row == 8 ? 0x1p-124 : std::fmax(1.0, largest[row]) * 0x1p-24;
        for (std::size_t i = 0; i < 96; ++i) {
            const double expected = i < 70 ? x[row * 70 + i] : 0.0;
            const double smallest = std::fmin(least, static_cast<double>(scale) * 0x1p-25);
            CHECK_NEAR(rounded.values[row * 96 + i], expected, 0x1p-11 * std::fabs(expected) + smallest);
        }
    }
}

TEST(cuda_norm_keeps_nan_and_infinities) {
    Stream stream;
    const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> x = random_floats(3 * 40, 1.0f, 69);
    x[3] = nan;
    x[40 + 4] = inf;
    x[80 + 5] = nan;
    x[80 + 6] = 1e20f;  // its scale is that of the others
    const Rounded rounded = round_rows(stream, x, 3, 40);
    CHECK(std::isnan(rounded.values[3]));
    CHECK_EQ(rounded.values[64 + 4], inf);
    CHECK(std::isnan(rounded.values[128 + 5]));
    CHECK_NEAR(rounded.values[128 + 6], 1e20, 1e17);
    for (std::size_t i = 0; i < 40; ++i)
        if (i != 3) CHECK(std::isfinite(rounded.values[i]));
    // A norm spreads them over the row.
    const std::vector<float> ones(40, 1.0f);
    const DeviceBuffer<float> from = to_device(stream, std::vector<float>(x.begin(), x.begin() + 64));
    const DeviceBuffer<float> one = to_device(stream, ones);
    DeviceBuffer<float> to(64);
    NormArgs args;
    args.x = from.data();
    args.x_stride = args.y_stride = 64;
    args.n_rows = 1;
    args.n_cols = 40;
    args.weight = args.bias = one.data();
    args.y = to.data();
    launch_norm(stream, args);
    const std::vector<float> y = to_host(stream, to);
    for (std::size_t i = 0; i < 64; ++i) CHECK_EQ(std::isnan(y[i]), i < 40);
}
