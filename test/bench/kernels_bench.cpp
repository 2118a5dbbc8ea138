// neox_bench quantize [seconds per case, 0.05] [path of libggml-base]: see quantize_bench.h; ends with 1 where ggml's
// error is lower.
// neox_bench columns [seconds per case, 0.4]: a step of several tokens against a step of one.
// neox_bench attention [seconds per case, 0.4]: see attention_bench.h.
// neox_bench load FILE [rounds, 3]: see load_bench.h.
// neox_bench --device cuda|cpu ...: see device_bench.h.
// neox_bench [seconds per case, 0.4] [types, all]: the matrix products of a 3.6B layer, one token and many, per weight type,
// beside what the machine can do at best in the same process.
//   step:    GB/s of weights read by one token (q15 where the type has it), share of the read ceiling
//   prefill: GOP/s over 512 tokens, share of the peak of the arithmetic: int8, or int16 for unquantized weights
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "attention_bench.h"
#include "base/page_buffer.h"
#include "base/thread_pool.h"
#include "columns_bench.h"
#include "device_bench.h"
#include "kernels/ceiling.h"
#include "kernels/dispatch.h"
#include "kernels/matmul.h"
#include "load_bench.h"
#include "quantize_bench.h"
#include "random_blocks.h"

using namespace neox;

namespace {

using Clock = std::chrono::steady_clock;

constexpr struct {
    const char* name;
    std::int64_t n_rows, n_cols;
} kShapes[] = {
    {"qkv", 8448, 2816}, {"attn_output", 2816, 2816}, {"ffn_up", 11264, 2816}, {"ffn_down", 2816, 11264}};

// One layer, more than once where it would fit into the last-level cache.
struct Layers {
    PageBuffer memory;
    std::vector<ResidentMatrix> matrices;
};

// Random weights. A slab over and over: the time does not depend on the values.
void fill(ThreadPool& pool, const ResidentMatrix& matrix, std::byte* data) {
    ResidentMatrix slab = matrix;
    slab.n_rows = kSlabPanels * kPanelRows;
    const std::size_t stride = row_bytes(matrix.dtype, static_cast<std::uint64_t>(matrix.n_cols));
    const std::size_t slab_bytes = kSlabPanels * matrix.panel_bytes;
    const std::vector<std::byte> rows =
        random_blocks::rows(matrix.dtype, slab.n_rows, matrix.n_cols, 1.0f, 1);
    std::vector<std::byte> made(slab_bytes);
    layout_panels(active_kernels(), slab, made.data(), 0, rows.data(), stride, slab.n_rows);
    pool.parallel_for(static_cast<std::size_t>(matrix.n_panels() / kSlabPanels), [&](std::size_t i, int) {
        std::memcpy(data + i * slab_bytes, made.data(), slab_bytes);
    });
}

Layers make_layers(ThreadPool& pool, DType dtype) {
    constexpr std::size_t kLeastBytes = std::size_t{400} << 20;
    std::size_t layer_bytes = 0;
    for (const auto& shape : kShapes)
        layer_bytes +=
            resident_panel_bytes(dtype, shape.n_cols) * static_cast<std::size_t>(shape.n_rows / 16);
    const std::size_t n_layers = (kLeastBytes + layer_bytes - 1) / layer_bytes;
    Layers layers{PageBuffer(n_layers * layer_bytes, "random layers"), {}};
    std::byte* at = layers.memory.data();
    for (std::size_t layer = 0; layer < n_layers; ++layer)
        for (const auto& shape : kShapes) {
            const ResidentMatrix matrix{dtype, shape.n_rows, shape.n_cols,
                                        resident_panel_bytes(dtype, shape.n_cols), at};
            fill(pool, matrix, at);
            layers.matrices.push_back(matrix);
            at += matrix.panel_bytes * static_cast<std::size_t>(matrix.n_panels());
        }
    return layers;
}

struct Speed {
    double gb_per_s;
    double gop_per_s;
};

// Medians over passes of all matrices (one token) or of the first layer (many tokens).
Speed measure(ThreadPool& pool, const Kernels& kernels, const Layers& layers, Arithmetic arithmetic,
              int n_tokens, double seconds) {
    const std::size_t n_matrices = n_tokens < 8 ? layers.matrices.size() : std::size(kShapes);
    const auto n_values = static_cast<std::size_t>(n_tokens) * 11264;
    std::vector<float> x(n_values), y(n_values);
    for (std::size_t i = 0; i < n_values; ++i)
        x[i] = static_cast<float>(i * 2654435761u % 1000) * 0.002f - 1.0f;
    ActivationBuffer buffer;
    std::vector<double> times;
    double bytes = 0, operations = 0;
    const Clock::time_point start = Clock::now();
    do {
        bytes = operations = 0;
        const Clock::time_point pass = Clock::now();
        for (std::size_t i = 0; i < n_matrices; ++i) {
            const ResidentMatrix& w = layers.matrices[i];
            matmul(pool, kernels, w,
                   buffer.prepare(pool, kernels, w.dtype, arithmetic, x.data(), n_tokens, w.n_cols), y.data(),
                   w.n_rows, {});
            bytes += static_cast<double>(w.panel_bytes) * static_cast<double>(w.n_panels());
            operations += 2.0 * static_cast<double>(w.n_rows) * static_cast<double>(w.n_cols) * n_tokens;
        }
        times.push_back(std::chrono::duration<double>(Clock::now() - pass).count());
    } while (std::chrono::duration<double>(Clock::now() - start).count() < seconds);
    std::sort(times.begin(), times.end());
    const double median = times[times.size() / 2];
    return {bytes / median / 1e9, operations / median / 1e9};
}

void run(double seconds, char** types, int n_types) {
    ThreadPool pool(default_thread_count());
    const Kernels& kernels = active_kernels();
    std::printf("isa %s, %d threads\n", kernels.name, pool.size());
    const Ceilings best =
        measure_ceilings(pool, kernels, std::clamp(4 * seconds, 0.1, 10.0), std::size_t{512} << 20);
    std::printf("ceilings: read %.1f GB/s, int8 %.0f, int16 %.0f GOP/s, f32 %.0f GFLOP/s\n\n",
                best.read_gb_per_s, best.int8_gop_per_s, best.int16_gop_per_s, best.f32_gflop_per_s);
    std::printf("%-6s  %-28s %-28s %s\n", "type", "step, 1 token", "step, 4 tokens", "prefill, 512 tokens");
    constexpr DType kTypes[] = {DType::Q4_0,   DType::Q8_0, DType::Q2_K, DType::Q3_K, DType::Q4_K,
                                DType::Q5_K,   DType::Q6_K, DType::Q4_1, DType::Q5_0, DType::Q5_1,
                                DType::IQ4_NL, DType::F16,  DType::BF16, DType::F32};
    for (const DType dtype : kTypes) {
        const auto is_named = [dtype](const char* name) {
            return dtype_info(dtype).name == std::string(name);
        };
        if (n_types > 0 && std::none_of(types, types + n_types, is_named)) continue;
        const Layers layers = make_layers(pool, dtype);
        const Arithmetic step = usable_arithmetic(kernels, dtype, 2816, Arithmetic::q15);
        const Arithmetic prefill = usable_arithmetic(kernels, dtype, 2816, Arithmetic::q8);
        const Speed one = measure(pool, kernels, layers, step, 1, seconds);
        const Speed four = measure(pool, kernels, layers, step, 4, seconds);
        const Speed many = measure(pool, kernels, layers, prefill, 512, seconds);
        const double peak = prefill == Arithmetic::q8      ? best.int8_gop_per_s
                            : prefill == Arithmetic::int16 ? best.int16_gop_per_s
                                                           : best.f32_gflop_per_s;
        const char* name = prefill == Arithmetic::q8      ? "int8"
                           : prefill == Arithmetic::int16 ? "int16"
                                                          : "f32";
        std::printf("%-6s  %6.1f GB/s = %5.1f %% of read  %6.1f GB/s, %.2f x the time  %7.1f GOP/s = %5.1f "
                    "%% of %s peak\n",
                    dtype_info(dtype).name, one.gb_per_s, 100 * one.gb_per_s / best.read_gb_per_s,
                    four.gb_per_s, one.gb_per_s / four.gb_per_s, many.gop_per_s,
                    peak > 0 ? 100 * many.gop_per_s / peak : 0, name);
    }
}

}  // namespace

int main(int argc, char** argv) {
    try {
        if (argc > 1 && std::strcmp(argv[1], "--device") == 0) return bench_device(argc, argv);
        if (argc > 1 && std::strcmp(argv[1], "quantize") == 0)
            return bench_quantize(argc > 2 ? std::atof(argv[2]) : 0.05, argc > 3 ? argv[3] : nullptr) > 0;
        if (argc > 1 && std::strcmp(argv[1], "columns") == 0) {
            bench_columns(argc > 2 ? std::atof(argv[2]) : 0.4);
            return 0;
        }
        if (argc > 1 && std::strcmp(argv[1], "attention") == 0) {
            bench_attention(argc > 2 ? std::atof(argv[2]) : 0.4);
            return 0;
        }
        if (argc > 2 && std::strcmp(argv[1], "load") == 0) {
            bench_load(argv[2], argc > 3 ? std::clamp(std::atoi(argv[3]), 1, 100) : 3);
            return 0;
        }
        const double seconds = argc > 1 ? std::atof(argv[1]) : 0.4;
        run(std::clamp(seconds, 0.05, 10.0), argv + 2, argc - 2);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
