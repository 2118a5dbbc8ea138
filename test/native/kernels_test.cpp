// Matrix products, layout and dispatch: every instruction set against the scalar one (bit for bit) and
// against float64 sums over the reference dequantization.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/half.h"
#include "base/thread_pool.h"
#include "check.h"
#include "kernels/cpu_features.h"
#include "kernels/dispatch.h"
#include "kernels/matmul.h"
#include "kernels/quantize_rows.h"
#include "quant/quant.h"

using namespace neox;

namespace {

// A small generator of test values; seeds make cases reproducible.
struct Random {
    std::uint64_t state;
    std::uint32_t next() {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return static_cast<std::uint32_t>(state >> 33);
    }
    float uniform() { return static_cast<float>(next()) * 0x1p-30f - 1.0f; }  // -1 to 1
};

// Rows with outliers, a block of zeros and a value that repeats.
std::vector<float> random_rows(std::int64_t n_rows, std::int64_t n_cols, std::uint64_t seed) {
    Random random{seed * 77 + 1};
    std::vector<float> rows(static_cast<std::size_t>(n_rows * n_cols));
    for (float& value : rows) value = random.uniform() + random.uniform();
    for (std::int64_t row = 0; row < n_rows; ++row) {
        float* values = rows.data() + row * n_cols;
        values[random.next() % static_cast<std::uint32_t>(n_cols)] = 60.0f * random.uniform();
        if (row % 3 == 1)
            for (std::int64_t k = 0; k < std::min<std::int64_t>(32, n_cols); ++k) values[k] = 0.0f;
    }
    return rows;
}

struct Matrix {
    std::vector<std::byte> rows;  // GGUF layout
    std::vector<float> values;    // dequantized
    std::vector<std::byte> panels;
    ResidentMatrix view;
};

void lay_out(Matrix& m) {
    const std::size_t stride = row_bytes(m.view.dtype, static_cast<std::uint64_t>(m.view.n_cols));
    m.values.resize(static_cast<std::size_t>(m.view.n_rows * m.view.n_cols));
    for (std::int64_t row = 0; row < m.view.n_rows; ++row)
        dequantize_row(m.view.dtype, m.rows.data() + static_cast<std::size_t>(row) * stride, m.view.n_cols,
                       m.values.data() + row * m.view.n_cols);
    m.view.panel_bytes = resident_panel_bytes(m.view.dtype, m.view.n_cols);
    m.panels.assign(m.view.panel_bytes * static_cast<std::size_t>(m.view.n_panels()), std::byte{0xff});
    for (std::int64_t panel = 0; panel < m.view.n_panels(); ++panel)
        layout_panel(m.view.dtype, m.view.n_cols,
                     m.rows.data() + static_cast<std::size_t>(panel) * 16 * stride, stride,
                     static_cast<int>(std::min<std::int64_t>(16, m.view.n_rows - 16 * panel)),
                     m.panels.data() + static_cast<std::size_t>(panel) * m.view.panel_bytes);
    m.view.data = m.panels.data();
}

Matrix make_matrix(DType dtype, std::int64_t n_rows, std::int64_t n_cols, std::uint64_t seed) {
    Matrix m;
    m.view.dtype = dtype;
    m.view.n_rows = n_rows;
    m.view.n_cols = n_cols;
    const std::vector<float> source = random_rows(n_rows, n_cols, seed);
    const std::size_t stride = row_bytes(dtype, static_cast<std::uint64_t>(n_cols));
    m.rows.resize(stride * static_cast<std::size_t>(n_rows));
    quantize_rows(dtype, source.data(), n_rows, n_cols, nullptr, m.rows.data());
    lay_out(m);
    return m;
}

// Every code that a file can hold, -128 of Q8_0 included.
Matrix make_extreme_matrix(DType dtype, std::int64_t n_rows, std::int64_t n_cols) {
    Matrix m = make_matrix(dtype, n_rows, n_cols, 5);
    const std::size_t block_bytes = dtype == DType::Q8_0 ? 34 : 18;
    for (std::size_t i = 0; i < m.rows.size(); ++i) {
        if (i % block_bytes < 2) continue;
        const std::size_t block = i / block_bytes;
        m.rows[i] = block % 3 == 0 ? std::byte{0x80} : static_cast<std::byte>(i * 37 + block);
        if (block % 3 == 1) m.rows[i] = std::byte{0xff};
    }
    lay_out(m);
    return m;
}

std::vector<float> product(int n_threads, const Kernels& kernels, const ResidentMatrix& w,
                           Arithmetic arithmetic, const float* x, int n_tokens,
                           const Epilogue& epilogue = {}) {
    ThreadPool pool(n_threads);
    ActivationBuffer buffer;
    const std::int64_t stride = w.n_panels() * 16 + 16;
    std::vector<float> y(static_cast<std::size_t>(n_tokens * stride), -7.0f);
    matmul(pool, kernels, w, buffer.prepare(pool, kernels, arithmetic, x, n_tokens, w.n_cols), y.data(),
           stride, epilogue);
    std::vector<float> rows;
    for (int token = 0; token < n_tokens; ++token) {
        const float* row = y.data() + token * stride;
        rows.insert(rows.end(), row, row + w.n_rows);
        for (std::int64_t i = w.n_panels() * 16; i < stride; ++i)
            CHECK_EQ(row[i], -7.0f);  // nothing written behind
    }
    return rows;
}

// What the quantized activations stand for.
std::vector<double> read_activations(const Kernels& kernels, Arithmetic arithmetic,
                                     const std::vector<float>& x, int n_tokens, std::int64_t n_cols) {
    if (arithmetic == Arithmetic::f32) return {x.begin(), x.end()};
    ThreadPool pool(1);
    ActivationBuffer buffer;
    const Activations a = buffer.prepare(pool, kernels, arithmetic, x.data(), n_tokens, n_cols);
    std::vector<double> values(x.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        const int q = arithmetic == Arithmetic::q8 ? a.high[i] : 128 * a.high[i] + a.low[i];
        values[i] = static_cast<double>(a.scale[i / 32]) * q;
    }
    return values;
}

// Against float64, with a tolerance in units of the sum of magnitudes.
void check_against_f64(const std::vector<float>& y, const Matrix& m, const std::vector<double>& x,
                       int n_tokens) {
    for (int token = 0; token < n_tokens; ++token) {
        for (std::int64_t row = 0; row < m.view.n_rows; ++row) {
            double sum = 0, magnitude = 0;
            for (std::int64_t k = 0; k < m.view.n_cols; ++k) {
                const double term =
                    static_cast<double>(m.values[static_cast<std::size_t>(row * m.view.n_cols + k)]) *
                    x[static_cast<std::size_t>(token * m.view.n_cols + k)];
                sum += term;
                magnitude += std::fabs(term);
            }
            CHECK_NEAR(y[static_cast<std::size_t>(token * m.view.n_rows + row)], sum,
                       6e-7 * magnitude + 1e-30);
        }
    }
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

constexpr DType kTypes[] = {DType::F32, DType::F16, DType::BF16, DType::Q8_0, DType::Q4_0};
constexpr Arithmetic kArithmetics[] = {Arithmetic::f32, Arithmetic::q8, Arithmetic::q15};

template <class Function> void each_pair(Function&& function) {
    for (const DType dtype : kTypes)
        for (const Arithmetic arithmetic : kArithmetics)
            if (all_kernels().back()->matmul(dtype, arithmetic)) function(dtype, arithmetic);
}

void check_matrix(const Matrix& m, Arithmetic arithmetic, int n_tokens, std::uint64_t seed) {
    const Kernels& scalar = *all_kernels().back();
    const std::vector<float> x = random_rows(n_tokens, m.view.n_cols, seed);
    const std::vector<float> expected = product(1, scalar, m.view, arithmetic, x.data(), n_tokens);
    check_against_f64(expected, m, read_activations(scalar, arithmetic, x, n_tokens, m.view.n_cols),
                      n_tokens);
    for (const Kernels* kernels : supported_kernels())
        CHECK(same_bits(product(1, *kernels, m.view, arithmetic, x.data(), n_tokens), expected));
}

}  // namespace

TEST(kernels_matmul_token_counts) {
    each_pair([](DType dtype, Arithmetic arithmetic) {
        const Matrix m = make_matrix(dtype, 33, 96, 1);
        for (int n_tokens = 1; n_tokens <= 9; ++n_tokens)
            check_matrix(m, arithmetic, n_tokens, 100 + n_tokens);
        check_matrix(m, arithmetic, 33, 200);
    });
}

TEST(kernels_matmul_shapes) {
    each_pair([](DType dtype, Arithmetic arithmetic) {
        for (const int n_rows : {1, 15, 17, 31}) {
            const Matrix m = make_matrix(dtype, n_rows, 64, 2);
            for (const int n_tokens : {1, 7}) check_matrix(m, arithmetic, n_tokens, 300);
        }
        for (int n_cols = 32; n_cols <= 288; n_cols += 32)
            check_matrix(make_matrix(dtype, 17, n_cols, 3), arithmetic, 8, 400);
        check_matrix(make_matrix(dtype, 18, 2816, 4), arithmetic, 1, 500);
        check_matrix(make_matrix(dtype, 18, 2816, 4), arithmetic, 8, 501);
    });
    for (const DType dtype : {DType::F32, DType::F16, DType::BF16})
        for (const int n_cols : {1, 5, 31, 33, 100, 257, 290}) {
            const Matrix m = make_matrix(dtype, 19, n_cols, 6);
            for (const int n_tokens : {1, 8}) check_matrix(m, Arithmetic::f32, n_tokens, 600);
        }
}

TEST(kernels_matmul_extreme_codes) {
    for (const DType dtype : {DType::Q8_0, DType::Q4_0})
        for (const Arithmetic arithmetic : kArithmetics) {
            const Matrix m = make_extreme_matrix(dtype, 17, 128);
            for (const int n_tokens : {1, 8}) check_matrix(m, arithmetic, n_tokens, 700);
        }
}

// A row of activations at full scale against weights at full scale: the largest integer sums there are.
TEST(kernels_matmul_full_scale) {
    for (const DType dtype : {DType::Q8_0, DType::Q4_0}) {
        Matrix m = make_matrix(dtype, 16, 64, 8);
        const std::size_t block_bytes = dtype == DType::Q8_0 ? 34 : 18;
        for (std::size_t i = 0; i < m.rows.size(); ++i) {
            if (i % block_bytes < 2) continue;
            const bool is_odd_row = i / (2 * block_bytes) % 2 == 1;
            m.rows[i] = dtype == DType::Q8_0 ? (is_odd_row ? std::byte{0x7f} : std::byte{0x80})
                                             : (is_odd_row ? std::byte{0xff} : std::byte{0x00});
        }
        lay_out(m);
        for (const float sign : {1.0f, -1.0f}) {
            const std::vector<float> x(64 * 8, sign * 3.5f);
            for (const Arithmetic arithmetic : kArithmetics)
                for (const Kernels* kernels : supported_kernels())
                    check_against_f64(product(1, *kernels, m.view, arithmetic, x.data(), 8), m,
                                      {x.begin(), x.end()}, 8);
        }
    }
}

TEST(kernels_matmul_same_bits_however_cut) {
    each_pair([](DType dtype, Arithmetic arithmetic) {
        constexpr int kRows = 97, kTokens = 14;
        const std::int64_t n_cols = 1312;  // more than one chunk of blocks
        const Matrix m = make_matrix(dtype, kRows, n_cols, 9);
        const std::vector<float> x = random_rows(kTokens, n_cols, 10);
        for (const Kernels* kernels : supported_kernels()) {
            if (kernels == all_kernels().back() && dtype != DType::Q4_0) continue;  // slow
            const std::vector<float> all = product(1, *kernels, m.view, arithmetic, x.data(), kTokens);
            for (const int n_threads : {2, 3})
                CHECK(same_bits(product(n_threads, *kernels, m.view, arithmetic, x.data(), kTokens), all));
            for (const int cut : {1, 2, 3, 5, 6, 7}) {
                std::vector<float> pieces;
                for (int token = 0; token < kTokens; token += cut) {
                    const std::vector<float> piece =
                        product(1, *kernels, m.view, arithmetic, x.data() + token * n_cols,
                                std::min(cut, kTokens - token));
                    pieces.insert(pieces.end(), piece.begin(), piece.end());
                }
                CHECK(same_bits(pieces, all));
            }
            ThreadPool pool(1);
            ActivationBuffer buffer;
            const Activations view = buffer.prepare(pool, *kernels, arithmetic, x.data(), kTokens, n_cols);
            for (const int step : {1, 3, 7}) {
                std::vector<float> y(kTokens * 112);
                for (int panel = 0; panel < 7; panel += step)
                    kernels->matmul(dtype, arithmetic)({m.panels.data(), m.view.panel_bytes, panel,
                                                        std::min(panel + step, 7), &view, y.data(), 112});
                for (int token = 0; token < kTokens; ++token)
                    CHECK(std::memcmp(&y[static_cast<std::size_t>(token) * 112],
                                      &all[static_cast<std::size_t>(token) * kRows],
                                      kRows * sizeof(float)) == 0);
            }
        }
    });
}

// Bias and residual have no room behind the last row; the buffers here end there, so that a sanitizer sees a
// read too far.
TEST(kernels_matmul_epilogue) {
    constexpr int kRows = 21, kTokens = 9;
    const Matrix m = make_matrix(DType::F32, kRows, 40, 11);
    const std::vector<float> x = random_rows(kTokens, 40, 12), bias = random_rows(1, kRows, 13);
    const std::vector<float> residual = random_rows(kTokens, kRows, 14);
    for (const Kernels* kernels : supported_kernels())
        for (const int n_tokens : {1, kTokens}) {
            const std::vector<float> plain =
                product(1, *kernels, m.view, Arithmetic::f32, x.data(), n_tokens);
            const std::vector<float> full =
                product(2, *kernels, m.view, Arithmetic::f32, x.data(), n_tokens,
                        {bias.data(), Activation::gelu_erf, residual.data(), kRows});
            const std::vector<float> sum = product(2, *kernels, m.view, Arithmetic::f32, x.data(), n_tokens,
                                                   {bias.data(), Activation::none, residual.data(), kRows});
            for (std::size_t i = 0; i < plain.size(); ++i) {
                const double z = static_cast<double>(plain[i]) + bias[i % kRows];
                CHECK_NEAR(full[i], 0.5 * z * (1 + std::erf(z * std::sqrt(0.5))) + residual[i],
                           1e-6 * (std::fabs(z) + std::fabs(residual[i])));
                CHECK_NEAR(sum[i], z + residual[i], 1e-6 * (std::fabs(z) + std::fabs(residual[i])));
            }
        }
}

TEST(kernels_matmul_nan_and_infinity_show) {
    const Matrix m = make_matrix(DType::Q8_0, 16, 64, 15);
    for (const float bad : {NAN, INFINITY, -INFINITY}) {
        std::vector<float> x = random_rows(1, 64, 16);
        x[40] = bad;
        for (const Kernels* kernels : supported_kernels())
            for (const Arithmetic arithmetic : {Arithmetic::q8, Arithmetic::q15})
                for (const float y : product(1, *kernels, m.view, arithmetic, x.data(), 1))
                    CHECK(std::isnan(y));
    }
}

TEST(kernels_layout_keeps_every_row) {
    for (const DType dtype : kTypes) {
        const std::int64_t n_cols = dtype == DType::Q8_0 || dtype == DType::Q4_0 ? 96 : 37;
        const Matrix m = make_matrix(dtype, 21, n_cols, 17);
        CHECK_EQ(m.view.panel_bytes, 16 * row_bytes(dtype, static_cast<std::uint64_t>(n_cols)));
        std::vector<float> row(static_cast<std::size_t>(n_cols));
        for (std::int64_t i = 0; i < 21; ++i) {
            read_resident_row(m.view, i, row.data());
            for (std::int64_t k = 0; k < n_cols; ++k)
                CHECK_EQ(row[static_cast<std::size_t>(k)],
                         m.values[static_cast<std::size_t>(i * n_cols + k)]);
        }
        ResidentMatrix padded = m.view;
        padded.n_rows = 32;
        for (std::int64_t i = 21; i < 32; ++i) {
            read_resident_row(padded, i, row.data());
            for (const float value : row) CHECK_EQ(value, 0.0f);
        }
        CHECK_THROWS(read_resident_row(m.view, 21, row.data()), invalid_argument);
    }
    CHECK_THROWS(resident_panel_bytes(DType::Q8_0, 40), format_shape);
    CHECK_THROWS(resident_panel_bytes(DType::F32, 0), format_shape);
    CHECK_THROWS(resident_panel_bytes(DType::F32, std::int64_t{1} << 62), format_overflow);
    CHECK_THROWS(resident_panel_bytes(DType::I32, 32), unsupported);
    CHECK(!is_resident_dtype(DType::I8));
}

TEST(kernels_usable_arithmetic) {
    for (const Kernels* kernels : supported_kernels()) {
        CHECK(usable_arithmetic(*kernels, DType::Q4_0, 64, Arithmetic::q8) == Arithmetic::q8);
        CHECK(usable_arithmetic(*kernels, DType::Q8_0, 64, Arithmetic::q15) == Arithmetic::q15);
        CHECK(usable_arithmetic(*kernels, DType::F16, 64, Arithmetic::q15) == Arithmetic::f32);
        CHECK(usable_arithmetic(*kernels, DType::Q8_0, 40, Arithmetic::q8) == Arithmetic::f32);
        CHECK(kernels->matmul(DType::F32, Arithmetic::q8) == nullptr);
        CHECK(kernels->matmul(DType::I32, Arithmetic::f32) == nullptr);
    }
}

// The name in NEOX_FORCE_ISA is the name of the table that runs, and the table holds that instruction set's
// functions.
TEST(kernels_dispatch) {
    CHECK_EQ(std::string(all_kernels().back()->name), std::string("scalar"));
    for (const Kernels* kernels : supported_kernels()) {
        CHECK(&kernels_by_name(kernels->name) == kernels);
        CHECK(kernels->supported(detect_cpu_features()));
        for (const Kernels* other : all_kernels())
            if (other != kernels) {
                CHECK(other->attention != kernels->attention);
                CHECK(other->matmul(DType::Q4_0, Arithmetic::q8) !=
                      kernels->matmul(DType::Q4_0, Arithmetic::q8));
            }
    }
    CHECK(all_kernels().front()->supported(CpuFeatures{}) == (all_kernels().size() == 1));
    CHECK_THROWS(kernels_by_name("sse9"), isa);
    const char* forced = std::getenv("NEOX_FORCE_ISA");
    if (forced && *forced != '\0') {
        CHECK_EQ(std::string(active_kernels().name), std::string(forced));
    } else {
        CHECK(&active_kernels() == supported_kernels().front());
    }
}

TEST(kernels_half_conversions) {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        const std::uint16_t half = static_cast<std::uint16_t>(bits);
        const float value = f16_to_f32(half);
        const bool is_nan = (bits & 0x7fff) > 0x7c00;
        CHECK_EQ(std::isnan(value), is_nan);
        if (!is_nan) CHECK_EQ(f32_to_f16(value), half);
        if (!is_nan && (bits & 0x7c00) != 0x7c00)
            CHECK_EQ(value,
                     static_cast<float>(std::ldexp((bits & 0x7c00 ? 1024.0 : 0.0) + (bits & 0x3ff),
                                                   static_cast<int>(std::max(bits >> 10 & 31, 1u)) - 25) *
                                        (bits & 0x8000 ? -1 : 1)));
        if (std::isnan(bf16_to_f32(half))) continue;
        CHECK_EQ(f32_to_bf16(bf16_to_f32(half)), half);
    }
    CHECK_EQ(f32_to_f16(65519.0f), 0x7bff);  // halfway to 65536 rounds to infinity, below it does not
    CHECK_EQ(f32_to_f16(65520.0f), 0x7c00);
    CHECK_EQ(f32_to_f16(0x1p-25f), 0x0000);  // halfway to the smallest subnormal: to even
    CHECK_EQ(f32_to_f16(0x1.000002p-25f), 0x0001);
    CHECK_EQ(f32_to_f16(2049.0f), 0x6800);
    CHECK_EQ(f32_to_f16(2051.0f), 0x6802);
    CHECK_EQ(f32_to_bf16(std::bit_cast<float>(0x3f808000u)), 0x3f80);
    CHECK_EQ(f32_to_bf16(std::bit_cast<float>(0x3f818000u)), 0x3f82);
}
