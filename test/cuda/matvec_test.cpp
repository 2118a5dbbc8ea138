// Products of step rows against sums in f64 over the rows that quant/dequantize gives.
#include "cuda/matvec.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

#include "check.h"
#include "cuda/split_planes.h"
#include "quant/quant.h"
#include "random_blocks.h"

namespace {

using namespace neox;
using namespace neox::cuda;

constexpr DType kTypes[] = {DType::F32,  DType::F16,  DType::BF16, DType::Q8_0,  DType::Q4_0,
                            DType::Q4_1, DType::Q5_0, DType::Q5_1, DType::Q2_K,  DType::Q3_K,
                            DType::Q4_K, DType::Q5_K, DType::Q6_K, DType::IQ4_NL};

std::size_t sized(int n) { return static_cast<std::size_t>(n); }
int padded(int n) { return (n + 31) / 32 * 32; }

// A matrix in the device's memory and as numbers.
struct Matrix {
    DType dtype;
    int n_rows, n_cols;
    DeviceBuffer<std::byte> planes;
    MatrixView view;
    std::vector<float> w, minima;  // [n_rows][n_cols]
};

Matrix make_matrix(DType dtype, int n_rows, int n_cols, std::uint64_t seed) {
    const std::vector<std::byte> rows = random_blocks::rows(dtype, n_rows, n_cols, 0.05f, seed);
    Matrix m{dtype, n_rows, n_cols, DeviceBuffer<std::byte>(matrix_layout(dtype, n_rows, n_cols).n_bytes),
             {},    {},     {}};
    m.view = matrix_view(dtype, n_rows, n_cols, m.planes.data());
    m.w.resize(sized(n_rows) * sized(n_cols));
    for (int row = 0; row < n_rows; ++row)
        dequantize_row(dtype, rows.data() + sized(row) * (rows.size() / sized(n_rows)), n_cols,
                       m.w.data() + sized(row) * sized(n_cols));
    m.minima = random_blocks::minima(dtype, rows, n_rows, n_cols);
    const DeviceBuffer<std::byte> raw(rows.size());
    Stream stream;
    stream.fill_zero(m.planes.data(), m.planes.bytes());
    stream.copy_to_device(raw.data(), rows.data(), rows.size());
    launch_split_planes(stream, {raw.data(), n_rows, 0, n_cols, m.view});
    stream.synchronize();
    return m;
}

std::vector<float> random_values(std::size_t n, float size, std::uint64_t seed) {
    random_blocks::Random random{seed * 31 + 7};
    std::vector<float> values(n);
    for (float& value : values) value = size * random.uniform();
    return values;
}

DeviceBuffer<float> on_device(Stream& stream, const std::vector<float>& values) {
    DeviceBuffer<float> buffer(values.size());
    stream.copy_to_device(buffer.data(), values.data(), buffer.bytes());
    stream.synchronize();
    return buffer;
}

// What a test varies beside the matrix and x.
struct Setting {
    Activation activation = Activation::none;
    bool has_bias = false, has_residual = false, has_norm = false;
    std::size_t shared_bytes = std::size_t{227} << 10;
    int n_multiprocessors = 1;
    std::uint64_t seed = 5;
};

struct Inputs {
    std::vector<float> bias, residual, norm_weight, norm_bias;
};
constexpr float kEps = 1e-5f;

Inputs make_inputs(const Matrix& m, int n, const Setting& s) {
    Inputs in;
    if (s.has_bias) in.bias = random_values(sized(m.n_rows), 1.0f, s.seed + 1);
    if (s.has_residual) in.residual = random_values(sized(n) * sized(padded(m.n_rows)), 2.0f, s.seed + 2);
    if (s.has_norm) {
        in.norm_weight = random_values(sized(padded(m.n_cols)), 1.5f, s.seed + 3);
        in.norm_bias = random_values(sized(padded(m.n_cols)), 0.2f, s.seed + 4);
    }
    return in;
}

// y [n][padded(n_rows)]. x: [n][padded(n_cols)].
std::vector<float> product(const Matrix& m, const std::vector<float>& x, int n, const Setting& s = {}) {
    const Inputs in = make_inputs(m, n, s);
    const int x_stride = padded(m.n_cols), y_stride = padded(m.n_rows);
    Stream stream;
    const DeviceBuffer<float> dx = on_device(stream, x), bias = on_device(stream, in.bias),
                              residual = on_device(stream, in.residual),
                              norm_weight = on_device(stream, in.norm_weight),
                              norm_bias = on_device(stream, in.norm_bias), y(sized(n) * sized(y_stride));
    stream.fill_zero(y.data(), y.bytes());
    MatvecArgs args;
    args.w = m.view;
    args.x = dx.data();
    args.x_stride = x_stride;
    args.n = n;
    args.n_cols = m.n_cols;
    if (s.has_norm) {
        args.norm_weight = norm_weight.data();
        args.norm_bias = norm_bias.data();
        args.norm_eps = kEps;
    }
    if (s.has_bias) args.epilogue.bias = bias.data();
    args.epilogue.activation = s.activation;
    if (s.has_residual) args.epilogue.residual = residual.data();
    args.epilogue.residual_stride = y_stride;
    args.y = y.data();
    args.y_stride = y_stride;
    args.shared_bytes = s.shared_bytes;
    args.n_multiprocessors = s.n_multiprocessors;
    launch_matvec(stream, args);
    std::vector<float> result(y.size());
    stream.copy_to_host(result.data(), y.data(), y.bytes());
    stream.synchronize();
    return result;
}

double activated(Activation activation, double x) {
    if (activation == Activation::gelu_erf) return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
    if (activation == Activation::gelu_tanh)
        return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
    return x;
}

std::vector<double> normalized(const Inputs& in, const float* x, int n_cols) {
    double mean = 0.0, squares = 0.0;
    for (int k = 0; k < n_cols; ++k) mean += static_cast<double>(x[k]) / n_cols;
    for (int k = 0; k < n_cols; ++k) squares += (x[k] - mean) * (x[k] - mean) / n_cols;
    std::vector<double> y(sized(n_cols));
    for (int k = 0; k < n_cols; ++k)
        y[sized(k)] = (x[k] - mean) / std::sqrt(squares + static_cast<double>(kEps)) *
                          static_cast<double>(in.norm_weight[sized(k)]) +
                      static_cast<double>(in.norm_bias[sized(k)]);
    return y;
}

// Sums in f32 of products that are exact to 2^-22: 2^-18 of the sum of the magnitudes, of codes and minima apart. A norm in f32
// adds as much; GELU's slope is at most 1.13.
void check_product(const Matrix& m, const std::vector<float>& x, int n, const Setting& s = {}) {
    const std::vector<float> y = product(m, x, n, s);
    const Inputs in = make_inputs(m, n, s);
    const int x_stride = padded(m.n_cols), y_stride = padded(m.n_rows);
    for (int t = 0; t < n; ++t) {
        const float* row = x.data() + sized(t) * sized(x_stride);
        const std::vector<double> values =
            s.has_norm ? normalized(in, row, m.n_cols) : std::vector<double>(row, row + m.n_cols);
        for (int r = 0; r < y_stride; ++r) {
            const std::size_t at = sized(t) * sized(y_stride) + sized(r);
            if (r >= m.n_rows) {
                CHECK_EQ(y[at], 0.0f);  // nobody writes there
                continue;
            }
            double sum = 0.0, size = 0.0;
            for (int k = 0; k < m.n_cols; ++k) {
                const std::size_t i = sized(r) * sized(m.n_cols) + sized(k);
                sum += static_cast<double>(m.w[i]) * values[sized(k)];
                size +=
                    (std::fabs(static_cast<double>(m.w[i])) + std::fabs(static_cast<double>(m.minima[i]))) *
                    std::fabs(values[sized(k)]);
            }
            if (s.has_bias) sum += static_cast<double>(in.bias[sized(r)]);
            double expected = activated(s.activation, sum);
            if (s.has_residual) expected += static_cast<double>(in.residual[at]);
            const double bound =
                0x1p-18 * size * (s.has_norm ? 2.0 : 1.0) + 0x1p-22 * (1.0 + std::fabs(expected));
            if (!(std::fabs(y[at] - expected) <= bound))
                neox_check::failed(__FILE__, __LINE__, dtype_info(m.dtype).name, " [", m.n_rows, ", ",
                                   m.n_cols, "] row ", r, " of ", t, " is ", y[at], ", expected ", expected,
                                   " +- ", bound);
        }
    }
}

struct Shape {
    int n_rows, n_cols;
};
// Columns of the file: types with blocks need whole ones.
int fitting(DType dtype, int n_cols) {
    const int block = dtype_info(dtype).block_length;
    return (n_cols + block - 1) / block * block;
}

void check_types(const std::function<void(DType)>& check) {
    for (const DType dtype : kTypes) check(dtype);
}

TEST(cuda_matvec_multiplies_every_type) {
    constexpr Shape kShapes[] = {{1, 32}, {19, 50}, {37, 288}, {16, 1056}};
    check_types([&](DType dtype) {
        for (const auto& [n_rows, n_cols] : kShapes) {
            const Matrix m = make_matrix(dtype, n_rows, fitting(dtype, n_cols), 3);
            for (const int n : {1, 2, 3, 5, 8}) {
                if (n_cols > 1000 && n > 2) continue;
                check_product(m, random_values(sized(n) * sized(padded(m.n_cols)), 3.0f, 11), n);
            }
        }
    });
}

TEST(cuda_matvec_has_long_rows) {
    for (const DType dtype : {DType::Q4_0, DType::Q8_0, DType::F16, DType::F32, DType::Q5_K}) {
        const Matrix m =
            make_matrix(dtype, 18, 4096 + 256, 4);  // 34 steps, of a slice more than are under way
        check_product(m, random_values(sized(m.n_cols), 3.0f, 12), 1);
    }
}

// The same row gives the same bits whatever stands beside it, however the grid is cut, and however little shared memory there is.
TEST(cuda_matvec_gives_a_row_the_same_bits) {
    check_types([](DType dtype) {
        const Matrix m = make_matrix(dtype, 40, fitting(dtype, 320), 6);
        const int stride = padded(m.n_cols), y_stride = padded(m.n_rows);
        const std::vector<float> one = random_values(sized(stride), 2.0f, 21);
        for (const bool has_norm : {false, true}) {
            const Setting base{.activation = Activation::gelu_erf, .has_bias = true, .has_norm = has_norm};
            const std::vector<float> alone = product(m, one, 1, base);
            const auto check_at = [&](int n, int position, const Setting& s) {
                std::vector<float> x = random_values(sized(n) * sized(stride), 40.0f, 22);
                std::copy(one.begin(), one.end(), x.begin() + position * stride);
                const std::vector<float> y = product(m, x, n, s);
                CHECK_EQ(std::memcmp(y.data() + position * y_stride, alone.data(), alone.size() * 4), 0);
            };
            for (const int n : {2, 4, 5, 8}) check_at(n, n / 2, base);
            check_at(11, 9, base);  // of the second launch
            Setting other = base;
            other.n_multiprocessors = 100;
            check_at(2, 1, other);
            other.shared_bytes = 20 << 10;  // fewer rows at once
            check_at(8, 6, other);
        }
    });
    const Matrix m = make_matrix(DType::Q4_0, 17, 256, 6);
    const std::vector<float> x = random_values(8 * 256, 2.0f, 23);
    const std::vector<float> all = product(m, x, 8);
    for (int t = 0; t < 8; ++t) {
        const std::vector<float> alone =
            product(m, std::vector<float>(x.begin() + t * 256, x.begin() + (t + 1) * 256), 1);
        CHECK_EQ(std::memcmp(alone.data(), all.data() + t * 32, 17 * 4), 0);
    }
}

// A row that does not fit into shared memory comes in parts.
TEST(cuda_matvec_keeps_parts_of_long_rows) {
    for (const DType dtype : {DType::Q4_1, DType::F16, DType::BF16}) {
        const Matrix m = make_matrix(dtype, 35, 8704, 7);  // 9 steps of a slice
        const std::vector<float> x = random_values(sized(m.n_cols), 1.0f, 31);
        Setting s{.has_norm = true};
        const std::vector<float> whole = product(m, x, 1, s);
        s.shared_bytes = 24 << 10;  // room for 4
        const std::vector<float> parts = product(m, x, 1, s);
        CHECK_EQ(std::memcmp(whole.data(), parts.data(), whole.size() * 4), 0);
    }
}

TEST(cuda_matvec_finishes_what_it_multiplies) {
    for (const DType dtype : {DType::Q8_0, DType::BF16, DType::Q6_K}) {
        const Matrix m = make_matrix(dtype, 33, 512, 8);
        for (const int n : {1, 3}) {
            const std::vector<float> x = random_values(sized(n) * sized(m.n_cols), 8.0f, 41);
            check_product(m, x, n, {.has_bias = true});
            check_product(m, x, n, {.activation = Activation::gelu_erf, .has_bias = true});
            check_product(m, x, n, {.activation = Activation::gelu_tanh, .has_bias = true});
            check_product(m, x, n, {.has_bias = true, .has_residual = true});
            check_product(m, x, n, {.has_residual = true});
        }
    }
}

TEST(cuda_matvec_normalizes_rows_first) {
    check_types([](DType dtype) {
        const Matrix m = make_matrix(dtype, 20, fitting(dtype, 96), 9);
        std::vector<float> x = random_values(sized(3) * sized(padded(m.n_cols)), 4.0f, 51);
        for (std::size_t i = 0; i < x.size(); ++i) x[i] += i % 17 == 0 ? 60.0f : 1.0f;
        check_product(m, x, 3, {.has_bias = true, .has_norm = true});
    });
    const Matrix m = make_matrix(DType::F16, 20, 50, 9);  // what lies behind the last column is not looked at
    check_product(m, random_values(64, 4.0f, 52), 1, {.has_norm = true});
}

// Far from f16's range at either end, each row for itself.
TEST(cuda_matvec_takes_activations_of_any_size) {
    for (const DType dtype : {DType::Q4_K, DType::Q5_1, DType::F16, DType::F32}) {
        const Matrix m = make_matrix(dtype, 16, 256, 10);
        const float kSizes[] = {0.0f, 1e-30f, 3e-6f, 1e5f, 1e30f};
        for (const float size : kSizes) {
            const std::vector<float> x = random_values(256, size, 61), y = product(m, x, 1);
            for (int r = 0; r < m.n_rows; ++r) {
                double sum = 0.0, magnitude = 0.0;
                for (int k = 0; k < 256; ++k) {
                    const std::size_t i = sized(r) * 256 + sized(k);
                    sum += static_cast<double>(m.w[i]) * static_cast<double>(x[sized(k)]);
                    magnitude += (std::fabs(static_cast<double>(m.w[i])) +
                                  std::fabs(static_cast<double>(m.minima[i]))) *
                                 std::fabs(static_cast<double>(x[sized(k)]));
                }
                CHECK_NEAR(y[sized(r)], sum, 0x1p-18 * magnitude);
            }
        }
    }
}

TEST(cuda_matvec_shows_what_is_not_a_number) {
    check_types([](DType dtype) {
        const Matrix m = make_matrix(dtype, 16, 256, 11);
        for (const float bad :
             {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
            std::vector<float> x = random_values(512, 1.0f, 71);
            x[256 + 77] = bad;
            const std::vector<float> y = product(m, x, 2);
            int n_finite = 0;
            for (int r = 0; r < 16; ++r) {
                CHECK(std::isfinite(y[sized(r)]));
                n_finite += std::isfinite(y[32 + sized(r)]) ? 1 : 0;
            }
            CHECK(n_finite == 0 || std::isinf(bad));
        }
    });
}

}  // namespace
