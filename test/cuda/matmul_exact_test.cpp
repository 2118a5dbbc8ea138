// launch_matmul_exact() against the same order of operations, to the bit.
#include <cmath>
#include <cstring>

#include "check.h"
#include "matmul_rig.h"

using namespace matmul_rig;

namespace {

// kernels/generic/matmul_f32.h in plain loops.
float product(const float* w, const float* x, std::int64_t n) {
    float total = 0.0f;
    for (std::int64_t begin = 0; begin < n; begin += 32) {
        float sum = 0.0f;
        for (std::int64_t k = begin; k < std::min(begin + 32, n); ++k) sum = std::fmaf(w[k], x[k], sum);
        total += sum;
    }
    return total;
}

}  // namespace

TEST(cuda_exact_products_have_the_bits_of_the_cpu) {
    Stream stream;
    for (const DType dtype : kFormats) {
        const int block = dtype_info(dtype).block_length;
        const std::int64_t n_rows = 70, n_cols = block == 1 ? 75 : block == 32 ? 96 : 256;
        const Matrix w(stream, dtype, n_rows, n_cols, 0.3f, 41);
        const std::int64_t n_tokens = 66, stride = padded(n_rows);
        const std::vector<float> values =
            random_floats(static_cast<std::size_t>(n_tokens * n_cols), 2.0f, 43);
        const Rows x(stream, static_cast<int>(n_tokens), n_cols, values);
        for (const std::int64_t n : {std::int64_t{1}, n_tokens}) {
            DeviceBuffer<float> y(static_cast<std::size_t>(n * stride));
            launch_matmul_exact(
                stream, {w.view, x.x.data(), padded(n_cols), static_cast<int>(n), {}, y.data(), stride});
            const std::vector<float> results = to_host(stream, y);
            for (std::int64_t i = 0; i < n * stride; ++i) {
                const std::int64_t row = i % stride;
                const float expected = row < n_rows ? product(w.values.data() + row * n_cols,
                                                              values.data() + i / stride * n_cols, n_cols)
                                                    : 0.0f;
                CHECK_EQ(results[static_cast<std::size_t>(i)], expected);
            }
        }
    }
}

TEST(cuda_exact_products_end_with_bias_activation_and_residual) {
    Stream stream;
    const Matrix w(stream, DType::F32, 33, 40, 0.3f, 45);
    const std::vector<float> values = random_floats(2 * 40, 2.0f, 47), bias = random_floats(33, 1.0f, 49);
    const std::vector<float> residual = random_floats(2 * 64, 1.0f, 51);
    const Rows x(stream, 2, 40, values);
    const DeviceBuffer<float> device_bias = to_device(stream, bias);
    const DeviceBuffer<float> y = to_device(stream, residual);
    launch_matmul_exact(
        stream,
        {w.view, x.x.data(), 64, 2, {device_bias.data(), Activation::gelu_erf, y.data(), 64}, y.data(), 64});
    const std::vector<float> results = to_host(stream, y);
    for (std::size_t i = 0; i < results.size(); ++i) {
        const std::size_t row = i % 64;
        if (row >= 33) {
            CHECK_EQ(results[i], 0.0f);
            continue;
        }
        const float sum = product(w.values.data() + row * 40, values.data() + i / 64 * 40, 40) + bias[row];
        const double expected = 0.5 * sum * (1.0 + std::erf(sum / std::sqrt(2.0))) + residual[i];
        CHECK_NEAR(results[i], expected, 1e-6 * (1.0 + std::fabs(expected)));
    }
}
