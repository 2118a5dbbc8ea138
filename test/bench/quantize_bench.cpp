#include "quantize_bench.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(_WIN32)
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include "kernels/quantize_rows.h"
#include "quant/quant.h"

using namespace neox;

namespace {

constexpr std::int64_t kRows = 24, kCols = 2816;  // a multiple of 256
constexpr DType kTypes[] = {DType::Q4_0, DType::Q4_1, DType::Q5_0, DType::Q5_1, DType::Q8_0, DType::IQ4_NL,
                            DType::Q2_K, DType::Q3_K, DType::Q4_K, DType::Q5_K, DType::Q6_K};
constexpr const char* kKinds[] = {"Gaussian", "Laplacian", "outliers"};

using Values = std::vector<float>;
using Quantize = std::function<void(DType, const float* x, const float* importance, std::byte* dst)>;

// ggml's quantizer out of a shared library.
Quantize load_ggml(const char* path) {
    using Init = void (*)(int);
    using Chunk =
        std::size_t (*)(int, const float*, void*, std::int64_t, std::int64_t, std::int64_t, const float*);
#if defined(_WIN32)
    const HMODULE library = LoadLibraryA(path);
    const auto find = [&](const char* name) {
        return library ? reinterpret_cast<void*>(GetProcAddress(library, name)) : nullptr;
    };
#else
    void* const library = dlopen(path, RTLD_NOW);
    const auto find = [&](const char* name) { return library ? dlsym(library, name) : nullptr; };
#endif
    const auto init = reinterpret_cast<Init>(find("ggml_quantize_init"));
    const auto chunk = reinterpret_cast<Chunk>(find("ggml_quantize_chunk"));
    if (!init || !chunk) throw std::runtime_error(std::string("no ggml_quantize_chunk in ") + path);
    for (const DType type : kTypes) init(static_cast<int>(type));
    return [chunk](DType type, const float* x, const float* importance, std::byte* dst) {
        chunk(static_cast<int>(type), x, dst, 0, kRows, kCols, importance);
    };
}

// Values about as large as weights; "outliers": a tenth of the columns is 20 times as large.
Values make_values(std::size_t kind, std::uint64_t seed) {
    Values x(static_cast<std::size_t>(kRows * kCols));
    std::uint64_t state = seed;
    const auto uniform = [&] {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return (static_cast<double>(state >> 11) + 0.5) * 0x1p-53;
    };
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double u = uniform(), v = uniform();
        const double normal = std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * v);
        const double laplace = u < 0.5 ? std::log(2 * u) : -std::log(2 - 2 * u);
        const bool is_outlier = kind == 2 && i % static_cast<std::size_t>(kCols) % 10 == 3;
        x[i] = static_cast<float>(0.02 * (kind == 1 ? laplace : normal) * (is_outlier ? 20 : 1));
    }
    return x;
}

Values make_importance() {
    Values importance(static_cast<std::size_t>(kCols));
    for (std::size_t i = 0; i < importance.size(); ++i)
        importance[i] = static_cast<float>(std::exp(2.0 * std::sin(static_cast<double>(i) * 1.7)));
    return importance;
}

double mean_square(const float* x, std::int64_t n) {
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
    return sum / static_cast<double>(n);
}

// The weight of element i of a row in ggml's own objective.
double weight(DType type, const float* row, std::int64_t i, const float* importance, double row_square) {
    const double x = row[i];
    const bool is_k = dtype_info(type).block_length == 256;
    if (type == DType::Q8_0) return 1;
    if (!importance) {
        switch (type) {
            case DType::Q4_0:
            case DType::Q4_1:
            case DType::Q5_0:
            case DType::Q5_1: return 1;
            case DType::Q2_K: return std::fabs(x);
            case DType::Q4_K:
            case DType::Q5_K: return std::fabs(x) + std::sqrt(mean_square(row + i / 32 * 32, 32));
            default: return x * x;
        }
    }
    if (type == DType::Q6_K) return importance[i];
    double square = row_square;
    if (type == DType::IQ4_NL) square = 2 * mean_square(row + i / 32 * 32, 32);
    if (is_k) square = (type == DType::Q2_K ? 1 : 2) * mean_square(row + i / 256 * 256, 256);
    return importance[i] * std::sqrt(square + x * x);
}

struct Errors {
    double weighted, plain;
};
Errors measure(DType type, const Values& x, const Values& weights, const std::vector<std::byte>& blocks) {
    Values back(x.size());
    dequantize_row(type, blocks.data(), static_cast<std::int64_t>(x.size()), back.data());
    Errors errors{0, 0};
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double e = static_cast<double>(x[i]) - back[i];
        errors.weighted += weights[i] * e * e;
        errors.plain += e * e;
    }
    return errors;
}

// Of the processor: other work on the machine does not count.
double seconds_of(const std::function<void()>& work) {
    const std::clock_t start = std::clock();
    work();
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

struct Run {
    std::vector<std::byte> blocks;
    std::vector<double> times;
    double ns_per_value() {
        std::sort(times.begin(), times.end());
        return times[times.size() / 2] * 1e9 / static_cast<double>(kRows * kCols);
    }
};

}  // namespace

int bench_quantize(double seconds, const char* ggml_path) {
    const Quantize ours = [](DType type, const float* x, const float* importance, std::byte* dst) {
        quantize_rows(type, x, kRows, kCols, importance, dst);
    };
    const Quantize theirs = ggml_path ? load_ggml(ggml_path) : Quantize();
    const Values importance = make_importance();
    int n_worse = 0;
    std::printf("%-7s %-10s %-10s %9s %9s  %s\n", "type", "values", "importance", "ours", "ggml",
                "weighted error, plain error: ours / ggml");
    for (const DType type : kTypes)
        for (std::size_t kind = 0; kind < std::size(kKinds); ++kind)
            for (const float* columns : {static_cast<const float*>(nullptr), importance.data()}) {
                const Values x = make_values(kind, 7 + kind);
                Values weights(x.size());
                for (std::int64_t row = 0; row < kRows; ++row) {
                    const float* values = x.data() + row * kCols;
                    const double square = mean_square(values, kCols);
                    for (std::int64_t i = 0; i < kCols; ++i)
                        weights[static_cast<std::size_t>(row * kCols + i)] =
                            weight(type, values, i, columns, square);
                }
                Run runs[2];
                double spent = 0;
                do {
                    for (int side = 0; side < (theirs ? 2 : 1); ++side) {
                        Run& run = runs[side];
                        run.blocks.resize(row_bytes(type, x.size()));
                        const Quantize& quantize = side == 0 ? ours : theirs;
                        run.times.push_back(
                            seconds_of([&] { quantize(type, x.data(), columns, run.blocks.data()); }));
                        spent += run.times.back();
                    }
                } while (spent < seconds);
                std::printf("%-7s %-10s %-10s %6.1f ns", dtype_info(type).name, kKinds[kind],
                            columns ? "yes" : "no", runs[0].ns_per_value());
                const Errors a = measure(type, x, weights, runs[0].blocks);
                if (theirs) {
                    const Errors b = measure(type, x, weights, runs[1].blocks);
                    std::printf(" %6.1f ns  %.4f, %.4f%s\n", runs[1].ns_per_value(), a.weighted / b.weighted,
                                a.plain / b.plain, a.weighted > b.weighted ? "  WORSE" : "");
                    n_worse += a.weighted > b.weighted;
                } else {
                    std::printf("\n");
                }
            }
    return n_worse;
}
