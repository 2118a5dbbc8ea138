// Matrix products and layout: every instruction set against the scalar one (bit for bit) and
// against float64 sums over the reference dequantization.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/half.h"
#include "kernels_rig.h"

using namespace kernels_rig;

TEST(kernels_matmul_token_counts) {
    each_pair([](DType dtype, Arithmetic arithmetic) {
        const Matrix m =
            make_matrix(dtype, 33, columns(dtype, dtype_info(dtype).block_length == 256 ? 1 : 3), 1);
        for (int n_tokens = 1; n_tokens <= 9; ++n_tokens)
            check_matrix(m, arithmetic, n_tokens, 100 + static_cast<std::uint64_t>(n_tokens));
        for (const int n_tokens : {17, 33}) check_matrix(m, arithmetic, n_tokens, 200);
    });
}

TEST(kernels_matmul_shapes) {
    each_pair([](DType dtype, Arithmetic arithmetic) {
        const bool is_long = dtype_info(dtype).block_length == 256;
        for (const int n_rows : {1, 15, 17, 31}) {
            const Matrix m = make_matrix(dtype, n_rows, columns(dtype, is_long ? 1 : 2), 2);
            for (const int n_tokens : {1, 7}) check_matrix(m, arithmetic, n_tokens, 300);
        }
        for (int n = 1; n <= (is_long ? 3 : 9); ++n)
            check_matrix(make_matrix(dtype, 17, columns(dtype, n), 3), arithmetic, 8, 400);
        // The rows of the 3.6B shape; many and few tokens.
        const Matrix m = make_matrix(dtype, 18, 2816, 4);
        for (const int n_tokens : {1, 8}) check_matrix(m, arithmetic, n_tokens, 500);
    });
    // More columns than are unpacked at once.
    for (const DType dtype : {DType::Q4_1, DType::Q2_K, DType::Q6_K})
        check_matrix(make_matrix(dtype, 17, 12288 + 256, 5), Arithmetic::q8, 5, 550);
    for (const DType dtype : {DType::F16, DType::Q4_1, DType::Q2_K})
        check_matrix(make_matrix(dtype, 17, 1536 + 256, 5), Arithmetic::int16, 5, 560);
    for (const DType dtype : kPlainTypes)
        for (const int n_cols : {1, 5, 31, 33, 100, 257, 290}) {
            const Matrix m = make_matrix(dtype, 19, n_cols, 6);
            for (const int n_tokens : {1, 8})
                for (const Arithmetic arithmetic : {Arithmetic::f32, Arithmetic::int16})
                    check_matrix(m, arithmetic, n_tokens, 600);
        }
}

// Rows whose activations do not fit beside the weights in the first-level cache.
TEST(kernels_matmul_long_rows) {
    for (const DType dtype : kQuantizedTypes)
        check_matrix(make_matrix(dtype, 35, 8448, 7), Arithmetic::q15, 1, 650);
}

TEST(kernels_matmul_extreme_codes) {
    for (const DType dtype : kQuantizedTypes) {
        Matrix m = make_matrix(dtype, 17, columns(dtype, 4), 5);
        fill_blocks(m, [](std::size_t block, std::size_t i) {
            if (block % 3 == 1) return std::byte{0xff};
            return block % 3 == 0 ? std::byte{0x80} : static_cast<std::byte>(i * 37 + block);
        });
        for (const Arithmetic arithmetic : kArithmetics)
            for (const int n_tokens : {1, 8, 33}) check_matrix(m, arithmetic, n_tokens, 700);
    }
}

// A row of activations at full scale against codes and scales at full scale: the largest integer sums there are.
TEST(kernels_matmul_full_scale) {
    for (const DType dtype : kQuantizedTypes) {
        Matrix m = make_matrix(dtype, 16, columns(dtype, 2), 8);
        fill_blocks(m, [dtype](std::size_t block, std::size_t) {
            if (dtype == DType::Q8_0) return block / 2 % 2 == 1 ? std::byte{0x7f} : std::byte{0x80};
            return block / 2 % 2 == 1 ? std::byte{0xff} : std::byte{0x00};
        });
        for (const float sign : {1.0f, -1.0f}) {
            const std::vector<float> x(static_cast<std::size_t>(8 * m.view.n_cols), sign * 127.0f / 32);
            for (const Arithmetic arithmetic : kArithmetics)
                for (const Kernels* kernels : kernels_with(dtype, arithmetic))
                    check_against_f64(product(1, *kernels, m.view, arithmetic, x.data(), 8), m, arithmetic,
                                      {x.begin(), x.end()}, 8);
        }
    }
}

// One signed byte each: the nearest one, ties to even, on every instruction set and in a tile that is not full.
TEST(kernels_quantize_q8) {
    constexpr int kTokens = 7;
    std::vector<float> x = random_rows(kTokens, 256, 21);
    std::fill_n(x.begin() + 32, 32, 0.0f);
    std::fill_n(x.begin() + 64, 32, -0.0f);
    std::fill_n(x.begin() + 96, 32, 1e-40f);
    for (int i = 0; i < 32; ++i) x[static_cast<std::size_t>(128 + i)] = i % 2 ? 127.0f : -127.0f;
    for (int i = 0; i < 32; ++i) x[static_cast<std::size_t>(160 + i)] = static_cast<float>(i) - 15.5f;
    x[192] = 127.0f;  // scale 1: halves go to the even integer
    for (int i = 1; i < 32; ++i) x[static_cast<std::size_t>(192 + i)] = static_cast<float>(2 * i - 31) + 0.5f;
    for (const DType dtype : kQuantizedTypes) {
        const std::vector<int> codes = read_q8(scalar(), dtype, x.data(), kTokens, 256);
        for (std::size_t i = 0; i < x.size(); ++i) {
            const float scale = q8_scale(dtype, x.data() + i / 32 * 32);
            CHECK(std::abs(codes[i]) <= 127);
            CHECK_NEAR(scale * static_cast<float>(codes[i]), x[i], scale * 0.5001f + 1e-37f);
        }
        if (dtype_info(dtype).block_length == 32)
            for (std::size_t i = 193; i < 224; ++i)
                CHECK_EQ(codes[i], static_cast<int>(std::nearbyint(x[i])));
        for (const Kernels* kernels : supported_kernels())
            CHECK(read_q8(*kernels, dtype, x.data(), kTokens, 256) == codes);
    }
}

// In f32 a quantized matrix is the matrix of its dequantized values.
TEST(kernels_matmul_f32_equals_the_dequantized_matrix) {
    for (const DType dtype : kQuantizedTypes) {
        const Matrix m = make_matrix(dtype, 17, columns(dtype, 3), 18);
        Matrix plain;
        plain.view.dtype = DType::F32;
        plain.view.n_rows = m.view.n_rows;
        plain.view.n_cols = m.view.n_cols;
        plain.rows.resize(m.values.size() * sizeof(float));
        std::memcpy(plain.rows.data(), m.values.data(), plain.rows.size());
        lay_out(plain);
        for (const int n_tokens : {1, 9}) {
            const std::vector<float> x = random_rows(n_tokens, m.view.n_cols, 19);
            for (const Kernels* kernels : supported_kernels())
                CHECK(same_bits(product(1, *kernels, m.view, Arithmetic::f32, x.data(), n_tokens),
                                product(1, *kernels, plain.view, Arithmetic::f32, x.data(), n_tokens)));
        }
    }
}

TEST(kernels_matmul_same_bits_however_cut) {
    each_pair([](DType dtype, Arithmetic arithmetic) {
        // A whole slab of panels, then a pair and a single one.
        constexpr int kRows = 161, kTokens = 14, kPanels = 11;
        const std::int64_t n_cols = columns(dtype, 1792 / columns(dtype, 1));  // several tiles of columns
        const Matrix m = make_matrix(dtype, kRows, n_cols, 9);
        const std::vector<float> x = random_rows(kTokens, n_cols, 10);
        for (const Kernels* kernels : kernels_with(dtype, arithmetic)) {
            if (kernels == &scalar() && dtype != DType::Q4_0 && dtype != DType::Q2_K) continue;  // slow
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
            if (arithmetic == Arithmetic::q8 || arithmetic == Arithmetic::int16)
                continue;  // matmul() alone cuts them
            ThreadPool pool(1);
            ActivationBuffer buffer;
            const Activations view =
                buffer.prepare(pool, *kernels, dtype, arithmetic, x.data(), kTokens, n_cols);
            for (const int step : {1, 3, 7}) {
                std::vector<float> y(kTokens * 16 * kPanels);
                for (int panel = 0; panel < kPanels; panel += step)
                    kernels->matmul(dtype, arithmetic)({m.panels.data(), m.view.panel_bytes, kPanels, panel,
                                                        std::min(panel + step, kPanels), &view, y.data(),
                                                        16 * kPanels});
                for (int token = 0; token < kTokens; ++token)
                    CHECK(std::memcmp(&y[static_cast<std::size_t>(token) * 16 * kPanels],
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

// Prompts finish their rows in groups of tokens, behind the last chunk of columns.
TEST(kernels_prompt_epilogue) {
    constexpr int kRows = 37, kMostTokens = 50;
    const std::int64_t n_cols = 12288 + 256;
    for (const auto& [dtype, arithmetic] :
         {std::pair(DType::Q8_0, Arithmetic::q8), std::pair(DType::Q4_K, Arithmetic::q8),
          std::pair(DType::F16, Arithmetic::int16)}) {
        const Matrix m = make_matrix(dtype, kRows, n_cols, 17);
        const std::vector<float> x = random_rows(kMostTokens, n_cols, 18), bias = random_rows(1, kRows, 19);
        const std::vector<float> residual = random_rows(kMostTokens, kRows, 20);
        for (const Kernels* kernels : kernels_with(dtype, arithmetic)) {
            if (kernels == &scalar()) continue;  // slow, and the same code
            for (const int n_tokens : {3, 24, 25, kMostTokens}) {
                const std::vector<float> plain = product(1, *kernels, m.view, arithmetic, x.data(), n_tokens);
                const std::vector<float> full =
                    product(2, *kernels, m.view, arithmetic, x.data(), n_tokens,
                            {bias.data(), Activation::none, residual.data(), kRows});
                for (std::size_t i = 0; i < plain.size(); ++i)
                    CHECK_EQ(full[i], plain[i] + bias[i % kRows] + residual[i]);
            }
        }
    }
}

TEST(kernels_matmul_nan_and_infinity_show) {
    for (const DType dtype : {DType::Q8_0, DType::Q4_K, DType::Q6_K}) {
        const Matrix m = make_matrix(dtype, 16, 256, 15);
        for (const float bad : {NAN, INFINITY, -INFINITY}) {
            std::vector<float> x = random_rows(1, 256, 16);
            x[40] = bad;
            for (const Kernels* kernels : supported_kernels())
                for (const Arithmetic arithmetic : {Arithmetic::q8, Arithmetic::q15})
                    for (const float y : product(1, *kernels, m.view, arithmetic, x.data(), 1))
                        CHECK(std::isnan(y));
        }
        // Beside the K types scales end at 2^108 / 127.
        std::vector<float> large(256, 0.0f);
        large[3] = 0x1.fp107f;
        for (const bool is_finite : {true, false}) {
            for (const Kernels* kernels : supported_kernels())
                for (const float y : product(1, *kernels, m.view, Arithmetic::q8, large.data(), 1))
                    CHECK(std::isfinite(y) == (is_finite || dtype == DType::Q8_0));
            large[3] *= 2;
        }
    }
}

TEST(kernels_layout_keeps_every_row) {
    // 21 rows: a pair of panels; 165: a slab, then a pair and a single one.
    const auto check_type = [](DType dtype, std::int64_t n_rows, std::int64_t n_cols) {
        const Matrix m = make_matrix(dtype, n_rows, n_cols, 17);
        std::vector<float> row(static_cast<std::size_t>(n_cols));
        for (std::int64_t i = 0; i < n_rows; ++i) {
            read_resident_row(m.view, i, row.data());
            CHECK(std::memcmp(row.data(), m.values.data() + i * n_cols, row.size() * sizeof(float)) == 0);
        }
        ResidentMatrix padded = m.view;
        padded.n_rows = 16 * m.view.n_panels();
        for (std::int64_t i = n_rows; i < padded.n_rows; ++i) {
            read_resident_row(padded, i, row.data());
            for (const float value : row) CHECK_EQ(value, 0.0f);
        }
        CHECK_THROWS(read_resident_row(m.view, n_rows, row.data()), invalid_argument);
    };
    for (const std::int64_t n_rows : {21, 165}) {
        for (const DType dtype : kPlainTypes) check_type(dtype, n_rows, 256 + 37);
        for (const DType dtype : kQuantizedTypes) check_type(dtype, n_rows, columns(dtype, 11));
    }
}

// Rows in any number of pieces, on any set.
TEST(kernels_layout_same_bytes) {
    for (const DType dtype : kQuantizedTypes) {
        const Matrix m = make_matrix(dtype, 165, columns(dtype, 11), 17);
        const std::size_t stride = row_bytes(dtype, static_cast<std::uint64_t>(m.view.n_cols));
        for (const Kernels* kernels : supported_kernels())
            for (const std::int64_t step : {16, 48, 165}) {
                std::vector<std::byte> panels(m.panels.size(), std::byte{0xff});
                for (std::int64_t row = 0; row < m.view.n_rows; row += step)
                    layout_panels(*kernels, m.view, panels.data(), row / 16,
                                  m.rows.data() + static_cast<std::size_t>(row) * stride, stride,
                                  std::min(step, m.view.n_rows - row));
                CHECK(panels == m.panels);
            }
    }
}

// Tiles cover the matrix without gaps, in the order of slabs and columns.
TEST(kernels_layout_is_one_stream) {
    constexpr std::int64_t kCols = 600;  // two whole tiles and a short one
    for (const std::int64_t n_panels : {1, 2, 7, 8, 11, 24}) {
        const std::size_t panel_bytes = resident_panel_bytes(DType::F16, kCols);
        std::size_t next = 0;
        for (std::int64_t slab = 0; slab < n_panels; slab += kSlabPanels)
            for (std::int64_t column = 0; column < kCols; column += kTileCols)
                for (std::int64_t panel = slab; panel < std::min(slab + kSlabPanels, n_panels); ++panel) {
                    const TilePlace place = place_tile(n_panels, kCols, panel_bytes, panel, column);
                    CHECK_EQ(place.side, static_cast<int>(panel % 2));
                    CHECK_EQ(place.width, panel - place.side + 1 < n_panels ? 2 : 1);
                    if (place.side != 0) continue;
                    CHECK_EQ(place.offset, next);
                    next += static_cast<std::size_t>(place.width * std::min(kTileCols, kCols - column)) * 32;
                }
        CHECK_EQ(next, panel_bytes * static_cast<std::size_t>(n_panels));
    }
}

// The file's bytes, but for scales of 6 bits that take a byte each.
TEST(kernels_layout_is_as_small_as_the_file) {
    const auto check_type = [](DType dtype, std::int64_t n_cols) {
        const double in_file =
            16.0 * static_cast<double>(row_bytes(dtype, static_cast<std::uint64_t>(n_cols)));
        const auto resident = static_cast<double>(resident_panel_bytes(dtype, n_cols));
        const bool has_6_bit_scales = dtype == DType::Q3_K || dtype == DType::Q4_K || dtype == DType::Q5_K;
        CHECK(has_6_bit_scales ? resident > in_file && resident < 1.04 * in_file : resident == in_file);
    };
    for (const DType dtype : kPlainTypes) check_type(dtype, 37);
    for (const DType dtype : kQuantizedTypes) check_type(dtype, columns(dtype, 3));
}

TEST(kernels_layout_refuses) {
    CHECK_THROWS(resident_panel_bytes(DType::Q8_0, 40), format_shape);
    CHECK_THROWS(resident_panel_bytes(DType::Q4_K, 128), format_shape);
    CHECK_THROWS(resident_panel_bytes(DType::F32, 0), format_shape);
    CHECK_THROWS(resident_panel_bytes(DType::F32, std::int64_t{1} << 62), format_overflow);
    CHECK_THROWS(resident_panel_bytes(DType::I32, 32), unsupported);
    CHECK(!is_resident_dtype(DType::I8));
}

TEST(kernels_usable_arithmetic) {
    for (const Kernels* kernels : supported_kernels()) {
        CHECK(usable_arithmetic(*kernels, DType::Q4_0, 64, Arithmetic::q8) == Arithmetic::q8);
        CHECK(usable_arithmetic(*kernels, DType::Q8_0, 64, Arithmetic::q15) == Arithmetic::q15);
        CHECK(usable_arithmetic(*kernels, DType::Q6_K, 256, Arithmetic::q8) == Arithmetic::q8);
        CHECK(usable_arithmetic(*kernels, DType::F16, 64, Arithmetic::q15) == Arithmetic::f32);
        CHECK(usable_arithmetic(*kernels, DType::Q8_0, 40, Arithmetic::q15) == Arithmetic::f32);
        const bool has_int16 = kernels->prompt(DType::F16, Arithmetic::int16).multiply != nullptr;
        const Arithmetic int16 = has_int16 ? Arithmetic::int16 : Arithmetic::f32;
        for (const Arithmetic wanted : {Arithmetic::q8, Arithmetic::int16}) {
            CHECK(usable_arithmetic(*kernels, DType::F32, 33, wanted) == int16);
            CHECK(usable_arithmetic(*kernels, DType::BF16, 64, wanted) == int16);
        }
        CHECK(usable_arithmetic(*kernels, DType::Q4_K, 256, Arithmetic::int16) == int16);
        CHECK(has_int16 == (std::strncmp(kernels->name, "neon", 4) != 0));
        CHECK((kernels->peak_int16 != nullptr) == has_int16);
        CHECK(kernels->prompt(DType::F32, Arithmetic::q8).multiply == nullptr);
        CHECK(kernels->prompt(DType::I32, Arithmetic::int16).multiply == nullptr);
        CHECK(kernels->prompt(DType::Q4_0, Arithmetic::q15).multiply == nullptr);
        CHECK(kernels->matmul(DType::Q4_0, Arithmetic::q8) == nullptr);
        CHECK(kernels->matmul(DType::F16, Arithmetic::int16) == nullptr);
        CHECK(kernels->matmul(DType::I32, Arithmetic::f32) == nullptr);
    }
}

// The name in NEOX_FORCE_ISA is the name of the table that runs. No two tables hold the same functions; one may take
// some from another.
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
