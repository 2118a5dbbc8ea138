// Matrices of every weight type in both layouts, and products of them with a tolerance, for the kernels' tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/half.h"
#include "base/thread_pool.h"
#include "check.h"
#include "kernels/dispatch.h"
#include "kernels/matmul.h"
#include "quant/quant.h"
#include "random_blocks.h"

namespace kernels_rig {

using namespace neox;

inline constexpr DType kPlainTypes[] = {DType::F32, DType::F16, DType::BF16};
inline constexpr DType kQuantizedTypes[] = {DType::Q8_0, DType::Q4_0,   DType::Q4_1, DType::Q5_0,
                                            DType::Q5_1, DType::IQ4_NL, DType::Q2_K, DType::Q3_K,
                                            DType::Q4_K, DType::Q5_K,   DType::Q6_K};
inline constexpr Arithmetic kArithmetics[] = {Arithmetic::f32, Arithmetic::int16, Arithmetic::q8,
                                              Arithmetic::q15};

inline const Kernels& scalar() { return *all_kernels().back(); }

// As many columns as n blocks have, 32 n in types without blocks.
inline std::int64_t columns(DType dtype, std::int64_t n) {
    const std::int64_t length = dtype_info(dtype).block_length;
    return n * (length == 1 ? 32 : length);
}

// Those that this machine can run and that have such a product: all x86-64 ones, under NEON not int16.
inline std::vector<const Kernels*> kernels_with(DType dtype, Arithmetic arithmetic) {
    std::vector<const Kernels*> found;
    for (const Kernels* kernels : supported_kernels())
        if (usable_arithmetic(*kernels, dtype, 32, arithmetic) == arithmetic) found.push_back(kernels);
    CHECK(arithmetic == Arithmetic::int16 || found.size() == supported_kernels().size());
    return found;
}

// Every type with every arithmetic that it can be multiplied in.
template <class Function> void each_pair(Function&& function) {
    const auto try_all = [&](DType dtype) {
        for (const Arithmetic arithmetic : kArithmetics)
            if (usable_arithmetic(scalar(), dtype, 32, arithmetic) == arithmetic) function(dtype, arithmetic);
    };
    for (const DType dtype : kPlainTypes) try_all(dtype);
    for (const DType dtype : kQuantizedTypes) try_all(dtype);
}

// Rows with outliers, a block of zeros and a value that repeats.
inline std::vector<float> random_rows(std::int64_t n_rows, std::int64_t n_cols, std::uint64_t seed) {
    random_blocks::Random random{seed * 77 + 1};
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
    std::vector<float> minima;    // the part of the values that is a block's minimum
    std::vector<std::byte> panels;
    ResidentMatrix view;
};

// Fills in what follows from the rows.
inline void lay_out(Matrix& m) {
    const std::size_t stride = row_bytes(m.view.dtype, static_cast<std::uint64_t>(m.view.n_cols));
    m.values.resize(static_cast<std::size_t>(m.view.n_rows * m.view.n_cols));
    dequantize_row(m.view.dtype, m.rows.data(), m.view.n_rows * m.view.n_cols, m.values.data());
    m.minima = random_blocks::minima(m.view.dtype, m.rows, m.view.n_rows, m.view.n_cols);
    m.view.panel_bytes = resident_panel_bytes(m.view.dtype, m.view.n_cols);
    m.panels.assign(m.view.panel_bytes * static_cast<std::size_t>(m.view.n_panels()), std::byte{0xff});
    layout_panels(active_kernels(), m.view, m.panels.data(), 0, m.rows.data(), stride, m.view.n_rows);
    m.view.data = m.panels.data();
}

inline Matrix make_matrix(DType dtype, std::int64_t n_rows, std::int64_t n_cols, std::uint64_t seed) {
    Matrix m;
    m.view.dtype = dtype;
    m.view.n_rows = n_rows;
    m.view.n_cols = n_cols;
    if (random_blocks::find(dtype)) {
        m.rows = random_blocks::rows(dtype, n_rows, n_cols, 1.0f, seed);
    } else {
        const std::vector<float> source = random_rows(n_rows, n_cols, seed);
        m.rows.resize(row_bytes(dtype, static_cast<std::uint64_t>(n_cols)) *
                      static_cast<std::size_t>(n_rows));
        quantize_row(dtype, source.data(), n_rows * n_cols, m.rows.data());
    }
    lay_out(m);
    return m;
}

// Writes byte(block, i) into every byte of the blocks but the f16 numbers.
template <class Byte> void fill_blocks(Matrix& m, Byte&& byte) {
    const random_blocks::Block& layout = *random_blocks::find(m.view.dtype);
    const auto block_bytes = static_cast<std::size_t>(dtype_info(m.view.dtype).block_bytes);
    for (std::size_t i = 0; i < m.rows.size(); ++i) {
        const int at = static_cast<int>(i % block_bytes);
        const bool is_f16 = (at & ~1) == layout.d || (layout.min >= 0 && (at & ~1) == layout.min);
        if (!is_f16) m.rows[i] = byte(i / block_bytes, i);
    }
    lay_out(m);
}

// [n_tokens][n_rows]
inline std::vector<float> product(int n_threads, const Kernels& kernels, const ResidentMatrix& w,
                                  Arithmetic arithmetic, const float* x, int n_tokens,
                                  const Epilogue& epilogue = {}) {
    ThreadPool pool(n_threads);
    ActivationBuffer buffer;
    const std::int64_t stride = w.n_panels() * 16 + 16;
    std::vector<float> y(static_cast<std::size_t>(n_tokens * stride), -7.0f);
    matmul(pool, kernels, w, buffer.prepare(pool, kernels, w.dtype, arithmetic, x, n_tokens, w.n_cols),
           y.data(), stride, epilogue);
    std::vector<float> rows;
    for (int token = 0; token < n_tokens; ++token) {
        const float* row = y.data() + token * stride;
        rows.insert(rows.end(), row, row + w.n_rows);
        for (std::int64_t i = w.n_panels() * 16; i < stride; ++i)
            CHECK_EQ(row[i], -7.0f);  // nothing written behind
    }
    return rows;
}

// The integers of q8, [n_tokens][n_cols].
inline std::vector<int> read_q8(const Kernels& kernels, DType dtype, const float* x, int n_tokens,
                                std::int64_t n_cols) {
    ThreadPool pool(1);
    ActivationBuffer buffer;
    const Activations a = buffer.prepare(pool, kernels, dtype, Arithmetic::q8, x, n_tokens, n_cols);
    const PromptKernels prompt = kernels.prompt(dtype, Arithmetic::q8);
    std::vector<int> codes;
    for (int token = 0; token < n_tokens; ++token)
        for (std::int64_t col = 0; col < n_cols; ++col) {
            const std::int64_t block = token / prompt.tile_tokens * (n_cols / 32) + col / 32;
            const std::int64_t four = col % 32 / 4 * prompt.tile_tokens + token % prompt.tile_tokens;
            codes.push_back(
                static_cast<std::int8_t>(a.tiles[static_cast<std::size_t>(block) * prompt.tile_block_bytes +
                                                 static_cast<std::size_t>(4 * four + col % 4)]));
        }
    return codes;
}

// The scale that 32 columns share in q8: absmax / 127, beside the K types the next of these many sixteenths of a power of
// two, where 127.49 still counts as 127.
inline float q8_scale(DType dtype, const float* x) {
    float absmax = 0;
    for (int i = 0; i < 32; ++i) absmax = std::max(absmax, std::fabs(x[i]));
    if (absmax < 0x1p-100f) return 0.0f;
    if (dtype_info(dtype).block_length == 32) return absmax / 127.0f;
    const float least = absmax * (1.0f / 127.49f);
    int exponent;
    std::frexp(least, &exponent);
    for (const int sixteenths : {16, 17, 18, 20, 24, 28, 30, 31})
        if (const float scale = std::ldexp(static_cast<float>(sixteenths), exponent - 5); scale >= least)
            return scale;
    return std::ldexp(1.0f, exponent);
}

// The scales of int16, [n_rows][ceil(n_cols / block)]: the larger of absmax / 32767 and norm / 46335.
template <class Value>
std::vector<double> int16_scales(const std::vector<Value>& rows, std::int64_t n_cols, int block) {
    std::vector<double> scales;
    for (std::size_t row = 0; row < rows.size(); row += static_cast<std::size_t>(n_cols))
        for (std::int64_t begin = 0; begin < n_cols; begin += block) {
            double absmax = 0, squares = 0;
            for (std::int64_t k = begin; k < std::min(begin + block, n_cols); ++k) {
                const auto value = static_cast<double>(rows[row + static_cast<std::size_t>(k)]);
                absmax = std::max(absmax, std::fabs(value));
                squares += value * value;
            }
            scales.push_back(std::max(absmax / 32767, std::sqrt(squares) / 46335));
        }
    return scales;
}

// What the rounded activations stand for; under int16, whose weights are rounded too, the activations themselves.
inline std::vector<double> read_activations(DType dtype, Arithmetic arithmetic, const std::vector<float>& x,
                                            int n_tokens, std::int64_t n_cols) {
    if (arithmetic == Arithmetic::f32 || arithmetic == Arithmetic::int16) return {x.begin(), x.end()};
    std::vector<double> values(x.size());
    if (arithmetic == Arithmetic::q8) {
        const std::vector<int> codes = read_q8(scalar(), dtype, x.data(), n_tokens, n_cols);
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = static_cast<double>(q8_scale(dtype, x.data() + i / 32 * 32)) * codes[i];
        return values;
    }
    ThreadPool pool(1);
    ActivationBuffer buffer;
    const Activations a = buffer.prepare(pool, scalar(), dtype, arithmetic, x.data(), n_tokens, n_cols);
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<double>(a.scale[i / 32]) * (128 * a.high[i] + a.low[i]);
    return values;
}

// Against float64, within 6e-7 of the sum of the magnitudes that are added: |weight * x|, and in types with a minimum
// |minimum * x| and |(weight - minimum) * x|, which are summed apart. Under int16 besides what rounding weights and activations
// by half a scale makes at most.
inline void check_against_f64(const std::vector<float>& y, const Matrix& m, Arithmetic arithmetic,
                              const std::vector<double>& x, int n_tokens) {
    const bool is_int16 = arithmetic == Arithmetic::int16;
    const int block = is_int16 ? scalar().prompt(m.view.dtype, arithmetic).block_cols : 1;
    const auto n_blocks = static_cast<std::size_t>((m.view.n_cols + block - 1) / block);
    std::vector<double> w_scales, x_scales;
    if (is_int16) {
        w_scales = int16_scales(m.values, m.view.n_cols, block);
        x_scales = int16_scales(x, m.view.n_cols, block);
    }
    for (int token = 0; token < n_tokens; ++token) {
        for (std::int64_t row = 0; row < m.view.n_rows; ++row) {
            double sum = 0, magnitude = 0, rounding = 0;
            for (std::int64_t k = 0; k < m.view.n_cols; ++k) {
                const auto i = static_cast<std::size_t>(row * m.view.n_cols + k);
                const double w = m.values[i], min = is_int16 ? 0 : static_cast<double>(m.minima[i]);
                const double value = x[static_cast<std::size_t>(token * m.view.n_cols + k)];
                sum += w * value;
                magnitude += (std::fabs(w - min) + std::fabs(min)) * std::fabs(value);
                if (!is_int16) continue;
                const auto at = static_cast<std::size_t>(k / block);
                const double w_half = w_scales[static_cast<std::size_t>(row) * n_blocks + at] / 2,
                             x_half = x_scales[static_cast<std::size_t>(token) * n_blocks + at] / 2;
                rounding += std::fabs(w) * x_half + std::fabs(value) * w_half + w_half * x_half;
            }
            CHECK_NEAR(y[static_cast<std::size_t>(token * m.view.n_rows + row)], sum,
                       6e-7 * magnitude + 1.00001 * rounding + 1e-30);
        }
    }
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// The scalar product against float64, every other instruction set against the scalar one.
inline void check_matrix(const Matrix& m, Arithmetic arithmetic, int n_tokens, std::uint64_t seed) {
    const std::vector<float> x = random_rows(n_tokens, m.view.n_cols, seed);
    const std::vector<float> expected = product(1, scalar(), m.view, arithmetic, x.data(), n_tokens);
    check_against_f64(expected, m, arithmetic,
                      read_activations(m.view.dtype, arithmetic, x, n_tokens, m.view.n_cols), n_tokens);
    for (const Kernels* kernels : kernels_with(m.view.dtype, arithmetic))
        CHECK(same_bits(product(1, *kernels, m.view, arithmetic, x.data(), n_tokens), expected));
}

}  // namespace kernels_rig
