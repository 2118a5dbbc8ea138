// cuda/matmul.h on the tensor cores against sums in f64 of the same numbers, and against itself.
#include "cuda/matmul.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "check.h"
#include "matmul_rig.h"

using namespace matmul_rig;

namespace {

constexpr MatmulTile kTiles[] = {MatmulTile::tokens16, MatmulTile::tokens64, MatmulTile::tokens128};

// As many columns as make the last step of every tile a short one, where the type allows.
std::int64_t odd_columns(DType dtype) { return dtype_info(dtype).block_length == 256 ? 512 : 544; }

bool same_bits(const float* a, const float* b, std::int64_t n) {
    return std::memcmp(a, b, static_cast<std::size_t>(n) * sizeof(float)) == 0;
}

// Weights are rounded to f16; sums of 16 products are added one after the other in f32.
void check_results(const Matrix& w, const Rows& x, int first, int n_tokens, const std::vector<float>& y) {
    for (int token = 0; token < n_tokens; ++token)
        for (std::int64_t row = 0; row < padded(w.n_rows); ++row) {
            const float actual = y[static_cast<std::size_t>(token * padded(w.n_rows) + row)];
            if (row >= w.n_rows) {
                CHECK_EQ(actual, 0.0f);
                continue;
            }
            double sum = 0.0, rounding = 0.0, size = 0.0;
            for (std::int64_t k = 0; k < w.n_cols; ++k) {
                const double value = w.values[static_cast<std::size_t>(row * w.n_cols + k)];
                const double in = x.rounded[static_cast<std::size_t>((first + token) * w.n_cols + k)];
                sum += value * in;
                rounding += w.weight_error(row, k) * std::fabs(in);
                size += std::fabs(value * in);
            }
            CHECK_NEAR(actual, sum, rounding + size * 0x1p-22 * static_cast<double>(w.n_cols / 16 + 8));
        }
}

}  // namespace

TEST(cuda_matmul_multiplies_every_format) {
    Stream stream;
    for (const DType dtype : kFormats) {
        const std::int64_t n_cols = odd_columns(dtype);
        const Matrix w(stream, dtype, 40, n_cols, 0.02f, 3);
        const Rows x(stream, 130, n_cols, random_floats(static_cast<std::size_t>(130 * n_cols), 2.0f, 5));
        const std::vector<float> y = multiply(stream, w, x, 0, 130, MatmulTile::tokens128);
        check_results(w, x, 0, 130, y);
        // The tile does not show, nor how many rows come together.
        CHECK(y == multiply(stream, w, x, 0, 130, MatmulTile::tokens64));
        const std::int64_t stride = padded(w.n_rows);
        for (const int n_tokens : {1, 7, 16, 17, 64, 100}) {
            const int first = 130 - n_tokens;
            const std::vector<float> some = multiply(stream, w, x, first, n_tokens, MatmulTile::automatic);
            CHECK(same_bits(some.data(), y.data() + first * stride, n_tokens * stride));
        }
    }
}

TEST(cuda_matmul_joins_the_segments_of_a_row) {
    Stream stream;
    CHECK_EQ(matmul_segments(70, 1056).n, 2);
    CHECK_EQ(matmul_segments(70, 1056).columns, 640);
    for (const DType dtype : {DType::Q8_0, DType::F16}) {
        const Matrix w(stream, dtype, 70, 1056, 0.02f, 7);
        const Rows x(stream, 70, 1056, random_floats(70 * 1056, 2.0f, 9));
        const std::vector<float> y = multiply(stream, w, x, 0, 70, MatmulTile::tokens128);
        check_results(w, x, 0, 70, y);
        for (const MatmulTile tile : kTiles) CHECK(y == multiply(stream, w, x, 0, 70, tile));
        const std::vector<float> one = multiply(stream, w, x, 33, 1, MatmulTile::automatic);
        CHECK(same_bits(one.data(), y.data() + 33 * padded(70), padded(70)));
    }
}

TEST(cuda_matmul_cuts_columns_by_the_shape_alone) {
    // The shapes of the 3.6B model.
    CHECK_EQ(matmul_segments(8448, 2816).n, 1);
    CHECK_EQ(matmul_segments(2816, 2816).n, 3);
    CHECK_EQ(matmul_segments(11264, 2816).n, 1);
    CHECK_EQ(matmul_segments(2816, 11264).n, 3);
    CHECK_EQ(matmul_segments(32000, 2816).n, 1);
    CHECK_EQ(matmul_segments(16, 32).n, 1);
    for (const std::int64_t n_rows : {1, 16, 100, 768, 2816, 65536})
        for (const std::int64_t n_cols : {32, 128, 992, 1024, 2816, 11264, 24576}) {
            const MatmulSegments cut = matmul_segments(n_rows, n_cols);
            CHECK_EQ(cut.columns % 128, 0);
            CHECK(cut.n >= 1 && cut.n <= 8);
            CHECK(std::int64_t{cut.n - 1} * cut.columns < n_cols);
            CHECK(std::int64_t{cut.n} * cut.columns >= n_cols);
        }
    CHECK(choose_matmul_tile(2816, 11264, 16, 132) == MatmulTile::tokens16);
    CHECK(choose_matmul_tile(2816, 11264, 17, 132) == MatmulTile::tokens64);
    CHECK(choose_matmul_tile(8448, 2816, 128, 132) == MatmulTile::tokens64);
    CHECK(choose_matmul_tile(8448, 2816, 256, 132) == MatmulTile::tokens64);
    CHECK(choose_matmul_tile(8448, 2816, 512, 132) == MatmulTile::tokens128);
    CHECK(choose_matmul_tile(2816, 2816, 512, 132) == MatmulTile::tokens128);
}

TEST(cuda_matmul_ends_with_bias_activation_and_residual) {
    Stream stream;
    const std::int64_t n_rows = 37, stride = padded(n_rows);
    const Matrix w(stream, DType::Q8_0, n_rows, 96, 0.1f, 11);
    const Rows x(stream, 20, 96, random_floats(20 * 96, 2.0f, 13));
    const std::vector<float> bias = random_floats(static_cast<std::size_t>(n_rows), 1.0f, 15);
    const std::vector<float> residual = random_floats(static_cast<std::size_t>(20 * stride), 1.0f, 17);
    const DeviceBuffer<float> device_bias = to_device(stream, bias);
    const DeviceBuffer<float> device_residual = to_device(stream, residual);
    const std::vector<float> plain = multiply(stream, w, x, 0, 20, MatmulTile::tokens16);
    for (const Activation activation : {Activation::none, Activation::gelu_erf, Activation::gelu_tanh})
        for (const bool has_residual : {false, true})
            for (const MatmulTile tile : kTiles) {
                Epilogue epilogue{device_bias.data(), activation, nullptr, 0};
                if (has_residual) {
                    epilogue.residual = device_residual.data();
                    epilogue.residual_stride = stride;
                }
                const std::vector<float> y = multiply(stream, w, x, 0, 20, tile, epilogue);
                for (std::size_t i = 0; i < y.size(); ++i) {
                    const std::size_t row = i % static_cast<std::size_t>(stride);
                    if (row >= bias.size()) {
                        CHECK_EQ(y[i], 0.0f);
                        continue;
                    }
                    const double sum = static_cast<double>(plain[i]) + bias[row];
                    double expected = sum;
                    if (activation == Activation::gelu_erf)
                        expected = 0.5 * sum * (1.0 + std::erf(sum / std::sqrt(2.0)));
                    if (activation == Activation::gelu_tanh)
                        expected = 0.5 * sum *
                                   (1.0 + std::tanh(0.7978845608028654 * (sum + 0.044715 * sum * sum * sum)));
                    if (has_residual) expected += residual[i];
                    CHECK_NEAR(y[i], expected, 2e-6 * (1.0 + std::fabs(expected)));
                }
            }
}

TEST(cuda_matmul_may_write_over_its_residual) {
    Stream stream;
    const Matrix w(stream, DType::F16, 40, 64, 0.1f, 19);
    const Rows x(stream, 18, 64, random_floats(18 * 64, 1.0f, 21));
    const std::vector<float> residual = random_floats(18 * 64, 1.0f, 23);
    const DeviceBuffer<float> y = to_device(stream, residual);
    cuda::MatmulArgs args;
    args.weights = w.view;
    args.x = x.x16.data();
    args.x_stride = 64;
    args.x_scale = x.scale.data();
    args.n_tokens = 18;
    args.epilogue.residual = args.y = y.data();
    args.epilogue.residual_stride = args.y_stride = 64;
    launch_matmul(stream, args);
    const std::vector<float> sums = to_host(stream, y), plain = multiply(stream, w, x, 0, 18, args.tile);
    for (std::size_t i = 0; i < sums.size(); ++i)
        CHECK_EQ(sums[i], i % 64 < 40 ? plain[i] + residual[i] : 0.0f);
}

TEST(cuda_matmul_takes_rows_of_any_size) {
    Stream stream;
    const Matrix w(stream, DType::Q4_0, 32, 64, 0.5f, 25);
    const float sizes[] = {1.0f, 1e30f, 1e-20f, 7e4f, 1e-6f, 0.0f, 3e4f};
    std::vector<float> values;
    for (const float size : sizes) {
        const std::vector<float> row = random_floats(64, size, 27);
        values.insert(values.end(), row.begin(), row.end());
    }
    const Rows x(stream, 7, 64, values);
    const std::vector<float> y = multiply(stream, w, x, 0, 7, MatmulTile::automatic);
    for (int token = 0; token < 7; ++token)
        for (int row = 0; row < 32; ++row) {
            double sum = 0.0, size = 0.0;
            for (int k = 0; k < 64; ++k) {
                const double product = static_cast<double>(w.values[static_cast<std::size_t>(row * 64 + k)]) *
                                       values[static_cast<std::size_t>(token * 64 + k)];
                sum += product;
                size += std::fabs(product);
            }
            CHECK_NEAR(y[static_cast<std::size_t>(token * 32 + row)], sum, size * 0x1p-9);
        }
}

TEST(cuda_matmul_lets_nan_and_infinities_show) {
    Stream stream;
    const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    const Matrix w(stream, DType::F16, 32, 64, 0.5f, 29);
    std::vector<float> values = random_floats(3 * 64, 1.0f, 31);
    values[64 + 5] = nan;
    values[128 + 9] = -inf;
    const Rows x(stream, 3, 64, values);
    const std::vector<float> y = multiply(stream, w, x, 0, 3, MatmulTile::automatic);
    for (std::size_t i = 0; i < 96; ++i) CHECK_EQ(std::isfinite(y[i]), i < 32);
}

// Instead of a weight that f16 cannot hold another number would be a silent failure.
TEST(cuda_matmul_never_clips_a_weight) {
    Stream stream;
    for (const DType dtype : {DType::F32, DType::BF16}) {
        std::vector<float> weights = random_floats(16 * 32, 1.0f, 33);
        weights[3 * 32 + 7] = 70000.0f;
        weights[5 * 32 + 8] = -1e30f;
        std::vector<std::byte> file(row_bytes(dtype, 32) * 16);
        for (int row = 0; row < 16; ++row)
            quantize_row(dtype, weights.data() + row * 32, 32,
                         file.data() + static_cast<std::size_t>(row) * row_bytes(dtype, 32));
        const Matrix w(stream, dtype, 16, 32, file);
        const Rows x(stream, 1, 32, random_floats(32, 1.0f, 35));
        const std::vector<float> y = multiply(stream, w, x, 0, 1, MatmulTile::automatic);
        for (int row = 0; row < 16; ++row)
            CHECK_EQ(std::isfinite(y[static_cast<std::size_t>(row)]), row != 3 && row != 5);
        // In f32 it is an ordinary product.
        DeviceBuffer<float> exact(32);
        launch_matmul_exact(stream, {w.view, x.x.data(), 32, 1, {}, exact.data(), 32});
        for (const float value : to_host(stream, exact)) CHECK(std::isfinite(value));
    }
}
