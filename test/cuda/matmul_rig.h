// Matrices and rows of activations in the device's memory, for tests of products.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/half.h"
#include "cuda/matmul.h"
#include "cuda/norm.h"
#include "cuda/planes.h"
#include "cuda/runtime.h"
#include "cuda/split_planes.h"
#include "quant/quant.h"
#include "random_blocks.h"
#include "tensor/dtype.h"

namespace matmul_rig {

using namespace neox;
using namespace neox::cuda;

inline constexpr DType kFormats[] = {DType::F32,  DType::F16,    DType::BF16, DType::Q8_0, DType::Q4_0,
                                     DType::Q4_1, DType::Q5_0,   DType::Q5_1, DType::Q4_K, DType::Q5_K,
                                     DType::Q6_K, DType::IQ4_NL, DType::Q2_K, DType::Q3_K};

inline std::int64_t padded(std::int64_t n) { return (n + 31) / 32 * 32; }

template <class T> DeviceBuffer<T> to_device(Stream& stream, const std::vector<T>& values) {
    DeviceBuffer<T> buffer(values.size());
    stream.copy_to_device(buffer.data(), values.data(), buffer.bytes());
    stream.synchronize();
    return buffer;
}
template <class T> std::vector<T> to_host(Stream& stream, const DeviceBuffer<T>& buffer) {
    std::vector<T> values(buffer.size());
    stream.copy_to_host(values.data(), buffer.data(), buffer.bytes());
    stream.synchronize();
    return values;
}

inline std::vector<float> random_floats(std::size_t n, float size, std::uint64_t seed) {
    random_blocks::Random random{seed};
    std::vector<float> values(n);
    for (float& value : values) value = size * random.uniform();
    return values;
}

// Uploaded as a backend does it, and as the numbers that it stands for.
struct Matrix {
    DType dtype;
    std::int64_t n_rows, n_cols;
    std::vector<float> values, minima;  // [n_rows][n_cols]
    DeviceBuffer<std::byte> memory;
    MatrixView view;

    Matrix(Stream& stream, DType type, std::int64_t rows, std::int64_t cols,
           const std::vector<std::byte>& file)
        : dtype(type), n_rows(rows), n_cols(cols), values(static_cast<std::size_t>(rows * cols)) {
        const std::size_t stride = row_bytes(type, static_cast<std::uint64_t>(cols));
        for (std::int64_t row = 0; row < rows; ++row)
            dequantize_row(type, file.data() + static_cast<std::size_t>(row) * stride, cols,
                           values.data() + row * cols);
        minima = random_blocks::minima(type, file, rows, cols);
        memory.reset(matrix_layout(type, rows, cols).n_bytes);
        view = matrix_view(type, rows, cols, memory.data());
        const DeviceBuffer<std::byte> from = to_device(stream, file);
        stream.fill_zero(memory.data(), memory.bytes());
        launch_split_planes(
            stream, {from.data(), static_cast<std::int32_t>(rows), 0, static_cast<std::int32_t>(cols), view});
        stream.synchronize();
    }
    Matrix(Stream& stream, DType type, std::int64_t rows, std::int64_t cols, float size, std::uint64_t seed)
        : Matrix(stream, type, rows, cols, random_blocks::rows(type, rows, cols, size, seed)) {}

    // How far a weight as f16 may be from its value (cuda/formats.cuh).
    double weight_error(std::int64_t row, std::int64_t col) const {
        const auto i = static_cast<std::size_t>(row * n_cols + col);
        return 0x1p-10 * (std::fabs(double{values[i]}) + std::fabs(double{minima[i]})) + 0x1p-24;
    }
};

// Rows of activations, rounded for the tensor cores.
struct Rows {
    int n_tokens;
    std::int64_t n_cols;
    DeviceBuffer<float> x, scale;
    DeviceBuffer<std::uint16_t> x16;
    std::vector<float> rounded;  // [n_tokens][n_cols]: what x16 and scale stand for

    // values: [n][cols].
    Rows(Stream& stream, int n, std::int64_t cols, const std::vector<float>& values)
        : n_tokens(n), n_cols(cols) {
        const auto stride = static_cast<std::size_t>(padded(cols)), width = static_cast<std::size_t>(cols);
        std::vector<float> strided(static_cast<std::size_t>(n) * stride);
        for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i)
            std::memcpy(strided.data() + i * stride, values.data() + i * width, width * sizeof(float));
        x = to_device(stream, strided);
        x16.reset(strided.size());
        scale.reset(static_cast<std::size_t>(n));
        NormArgs args;
        args.x = x.data();
        args.x_stride = args.y16_stride = padded(cols);
        args.n_rows = n;
        args.n_cols = static_cast<int>(cols);
        args.y16 = x16.data();
        args.scale = scale.data();
        launch_norm(stream, args);
        const std::vector<std::uint16_t> halves = to_host(stream, x16);
        const std::vector<float> scales = to_host(stream, scale);
        rounded.resize(static_cast<std::size_t>(n) * width);
        for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i)
            for (std::size_t k = 0; k < width; ++k)
                rounded[i * width + k] = f16_to_f32(halves[i * stride + k]) * scales[i];
    }
};

// The results of n_tokens rows of x from `first` on, [n_tokens][padded rows], by one tile.
inline std::vector<float> multiply(Stream& stream, const Matrix& w, const Rows& x, int first, int n_tokens,
                                   MatmulTile tile, const Epilogue& epilogue = {}) {
    const std::int64_t stride = padded(w.n_rows);
    DeviceBuffer<float> y(static_cast<std::size_t>(n_tokens * stride));
    DeviceBuffer<float> partial(matmul_partial_bytes(w.n_rows, w.n_cols, n_tokens) / sizeof(float));
    DeviceBuffer<std::int32_t> tickets(
        static_cast<std::size_t>(matmul_tickets(w.n_rows, w.n_cols, n_tokens)));
    stream.fill_zero(tickets.data(), tickets.bytes());
    cuda::MatmulArgs args;
    args.weights = w.view;
    args.x = x.x16.data() + first * padded(x.n_cols);
    args.x_stride = padded(x.n_cols);
    args.x_scale = x.scale.data() + first;
    args.n_tokens = n_tokens;
    args.epilogue = epilogue;
    args.y = y.data();
    args.y_stride = stride;
    args.partial = partial.data();
    args.tickets = tickets.data();
    args.tile = tile;
    launch_matmul(stream, args);
    if (tickets.size() == 0) return to_host(stream, y);
    // Again: the first launch has left the tickets as they were.
    const DeviceBuffer<float> again(y.size());
    args.y = again.data();
    launch_matmul(stream, args);
    return to_host(stream, again);
}

}  // namespace matmul_rig
